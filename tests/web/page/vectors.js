/** The test vectors of the protocol's page. */

import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../../docs/reference/protocol.md", import.meta.url), "utf8");
const [, json] = /** @type {RegExpExecArray} */ (/```json\n(.*?)```/s.exec(page));

export const vectors = JSON.parse(json);

export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {Promise<CryptoKeyPair>} A side's fixed ephemeral key. */
export async function ephemeralOf(side) {
  const prefix = fromHex("302e020100300506032b656e04220420"); // PKCS #8 of an X25519 key
  const raw = fromHex(vectors.noise[`${side}_ephemeral_private`]);
  const pkcs8 = Uint8Array.of(...prefix, ...raw);
  const algorithm = { name: "X25519" };
  const publicRaw = fromHex(vectors.noise[`${side}_ephemeral_public`]);
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["deriveBits"]),
    publicKey: await crypto.subtle.importKey("raw", publicRaw, algorithm, true, []),
  };
}
