/** The shared key, and the keys derived from it (RFC 5869), which WebCrypto keeps to itself. */

import { decodeBase64Url, decodeLeniently, encodeText, NO_BYTES } from "./bytes.js";
import { ChatError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * @typedef {object} Keys
 * @property {CryptoKey} mac Signs and checks envelopes.
 * @property {CryptoKey | null} psk The key of the Noise handshake, for HKDF; null without a key.
 */

export const KEY_BYTES = 32;

/** Check that WebCrypto is there: browsers give it to secure contexts alone. */
export function checkCrypto() {
  if (globalThis.crypto?.subtle === undefined) {
    throw new ChatError(
      "insecure-context",
      "this page has no cryptography: open it with https://, or as http://localhost",
    );
  }
}

/**
 * Read a shared key.
 *
 * @param {string | Uint8Array | ArrayBuffer} key The text or the bytes of a key file, or the key's
 *   32 bytes.
 * @returns {Bytes} 32 bytes of its own.
 * @throws {ChatError} `bad-key`
 */
export function readKey(key) {
  const given = key instanceof ArrayBuffer ? new Uint8Array(key) : key;
  if (given instanceof Uint8Array && given.length === KEY_BYTES) return Uint8Array.from(given);
  const text = given instanceof Uint8Array ? decodeLeniently(Uint8Array.from(given)) : given;
  const decoded = typeof text === "string" ? decodeBase64Url(text.trim()) : null;
  if (decoded?.length !== KEY_BYTES) {
    throw new ChatError("bad-key", "that is no key: copy all of the key file's text");
  }
  return decoded;
}

/**
 * Import a shared key; its bytes are overwritten.
 *
 * @param {Bytes | null} key Null for a server without a key.
 * @returns {Promise<Keys>}
 */
export async function importKeys(key) {
  checkCrypto();
  const raw = key ?? new Uint8Array(KEY_BYTES);
  const base = await crypto.subtle.importKey("raw", raw, "HKDF", false, [
    "deriveBits",
    "deriveKey",
  ]);
  raw.fill(0);
  const mac = await crypto.subtle.deriveKey(
    hkdf("chatd v1 envelope mac"),
    base,
    { name: "HMAC", hash: "SHA-256", length: 8 * KEY_BYTES },
    false,
    ["sign", "verify"],
  );
  return { mac, psk: key === null ? null : await derivePsk(base) };
}

/**
 * @param {CryptoKey} base
 * @returns {Promise<CryptoKey>}
 */
async function derivePsk(base) {
  const bits = await crypto.subtle.deriveBits(hkdf("chatd v1 noise psk"), base, 8 * KEY_BYTES);
  const psk = await crypto.subtle.importKey("raw", bits, "HKDF", false, ["deriveBits"]);
  new Uint8Array(bits).fill(0);
  return psk;
}

/**
 * @param {string} info
 * @returns {HkdfParams}
 */
function hkdf(info) {
  return { name: "HKDF", hash: "SHA-256", salt: NO_BYTES, info: encodeText(info) };
}
