/** Envelopes: magic, version, lengths, CRC32 and HMAC-SHA256 around a header and a content. */

import { concat, viewOf } from "./bytes.js";
import { crc32 } from "./crc32.js";
import { ByteFault } from "./errors.js";
import { MAX_HEADER } from "./limits.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {{type: number, header: Bytes, content: Bytes}} Opened */
/** @typedef {{type: number, headerBytes: number, contentBytes: number}} Prelude */

export const ENVELOPE_BYTES = 64;
export const VERSION = 1;
export const MAGIC = Uint8Array.of(0x89, 0x43, 0x48, 0x41, 0x54, 0x44, 0x0d, 0x0a);

const SIGNED_BYTES = 32;

/**
 * Check the first 64 bytes of an envelope, as far as that goes without its header and content.
 *
 * @param {Bytes} envelope The envelope or its start.
 * @param {number} length Its whole length.
 * @param {number} maxContent
 * @returns {Prelude}
 * @throws {ByteFault}
 */
export function checkPrelude(envelope, length, maxContent) {
  if (length < ENVELOPE_BYTES) throw new ByteFault("bad-length", "an envelope is too short");
  if (!MAGIC.every((byte, index) => envelope[index] === byte)) {
    throw new ByteFault("bad-magic", "the bytes are no chatd envelope");
  }
  const view = viewOf(envelope);
  const version = view.getUint16(8);
  if (version !== VERSION) {
    throw new ByteFault("bad-version", `the server speaks version ${version}, not ${VERSION}`);
  }
  const headerBytes = view.getUint32(12);
  // Beyond 2^53 the number is not exact, but no length that a frame can have is there.
  const contentBytes = view.getUint32(20) * 2 ** 32 + view.getUint32(24);
  if (ENVELOPE_BYTES + headerBytes + contentBytes !== length) {
    throw new ByteFault("bad-length", "the lengths of an envelope contradict each other");
  }
  if (headerBytes > MAX_HEADER || contentBytes > maxContent) {
    throw new ByteFault("too-large", "a header or content is over its limit");
  }
  return { type: view.getUint16(10), headerBytes, contentBytes };
}

/**
 * Check a complete envelope, and take it apart.
 *
 * @param {CryptoKey} key The MAC key.
 * @param {Bytes} envelope
 * @param {number} maxContent
 * @returns {Promise<Opened>} The content is a copy, so that it does not keep its neighbours in
 *   memory.
 */
export async function openEnvelope(key, envelope, maxContent) {
  const { type, headerBytes } = checkPrelude(envelope, envelope.length, maxContent);
  const view = viewOf(envelope);
  const body = envelope.subarray(ENVELOPE_BYTES);
  const header = body.subarray(0, headerBytes);
  const content = body.slice(headerBytes);
  if (crc32(header) !== view.getUint32(16) || crc32(content) !== view.getUint32(28)) {
    throw new ByteFault("bad-crc", "the checksum of an envelope is wrong");
  }
  const mac = envelope.subarray(SIGNED_BYTES, ENVELOPE_BYTES);
  const signed = concat([envelope.subarray(0, SIGNED_BYTES), body]);
  if (!(await crypto.subtle.verify("HMAC", key, mac, signed))) {
    throw new ByteFault("bad-mac", "the signature of an envelope is wrong");
  }
  return { type, header, content };
}

/**
 * @param {CryptoKey} key The MAC key.
 * @param {number} type
 * @param {Bytes} header
 * @param {Bytes} content
 * @returns {Promise<Bytes>} The frame: the envelope with its length before it.
 */
export async function sealEnvelope(key, type, header, content) {
  const length = ENVELOPE_BYTES + header.length + content.length;
  const start = new Uint8Array(4 + SIGNED_BYTES);
  const view = viewOf(start);
  view.setUint32(0, length);
  start.set(MAGIC, 4);
  view.setUint16(12, VERSION);
  view.setUint16(14, type);
  view.setUint32(16, header.length);
  view.setUint32(20, crc32(header));
  view.setBigUint64(24, BigInt(content.length));
  view.setUint32(32, crc32(content));
  const signed = concat([start.subarray(4), header, content]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
  return concat([start, mac, header, content]);
}
