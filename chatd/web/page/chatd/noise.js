/**
 * The handshake `Noise_NNpsk0_25519_AESGCM_SHA256` (Noise Protocol Framework, revision 34).
 *
 * Noise's HKDF is that of RFC 5869 with the chaining key as the salt and no info. WebCrypto can
 * import no empty input for it, so the last step, `split`, makes it of two HMACs.
 */

import { concat, encodeText, NO_BYTES } from "./bytes.js";
import { ByteFault, ChatError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

export const PROTOCOL_NAME = "Noise_NNpsk0_25519_AESGCM_SHA256";
/** A public key and a tag. */
export const HANDSHAKE_BYTES = 48;
export const TAG_BYTES = 16;

const DH_BYTES = 32;
const FIRST_NONCE = new Uint8Array(12);

/** One side of a handshake; each of its messages has an ephemeral public key and a tag. */
export class Handshake {
  #hash = encodeText(PROTOCOL_NAME);
  #chainingKey = encodeText(PROTOCOL_NAME);
  /** @type {CryptoKey | null} */
  #key = null;
  /** @type {CryptoKeyPair | null} */
  #own;
  /** @type {CryptoKey | null} */
  #remote = null;
  #hasWritten = false;

  /** @param {CryptoKeyPair | null} ephemeral A key pair for tests alone. */
  constructor(ephemeral = null) {
    this.#own = ephemeral;
  }

  /**
   * @param {CryptoKey} psk
   * @param {Bytes} prologue
   * @param {CryptoKeyPair | null} [ephemeral]
   */
  static async begin(psk, prologue, ephemeral = null) {
    const handshake = new Handshake(ephemeral);
    await handshake.#mixHash(prologue);
    await handshake.#mixKeyAndHash(psk);
    return handshake;
  }

  /** @returns {Bytes} What both sides have seen, hashed; the same on both sides. */
  get hash() {
    return this.#hash;
  }

  /** @returns {Promise<Bytes>} The message for the other side. */
  async writeMessage() {
    this.#own ??= await generate();
    const raw = await crypto.subtle.exportKey("raw", this.#own.publicKey);
    const publicKey = new Uint8Array(raw);
    this.#hasWritten = true;
    await this.#mixPublic(publicKey);
    const sealed = await crypto.subtle.encrypt(this.#parameters(), this.#cipherKey(), NO_BYTES);
    const tag = new Uint8Array(sealed);
    await this.#mixHash(tag);
    return concat([publicKey, tag]);
  }

  /**
   * @param {Bytes} message The message of the other side.
   * @throws {ChatError} `wrong-key`: the tag is wrong.
   */
  async readMessage(message) {
    const publicKey = message.slice(0, DH_BYTES);
    const tag = message.slice(DH_BYTES);
    this.#remote = await importPublic(publicKey);
    await this.#mixPublic(publicKey);
    try {
      await crypto.subtle.decrypt(this.#parameters(), this.#cipherKey(), tag);
    } catch (error) {
      const told = "the key is not that of the server: compare the two keys";
      throw new ChatError("wrong-key", told, { cause: error });
    }
    await this.#mixHash(tag);
  }

  /** @returns {Promise<[CryptoKey, CryptoKey]>} The keys from the initiator and to it. */
  async split() {
    const [first, second] = await expand(await hmac(this.#chainingKey, NO_BYTES), 2);
    return [await importCipherKey(first), await importCipherKey(second)];
  }

  /** @param {Bytes} publicKey */
  async #mixPublic(publicKey) {
    await this.#mixHash(publicKey);
    await this.#mixKey(publicKey);
    if (this.#hasWritten && this.#own !== null && this.#remote !== null) {
      await this.#mixKey(await agree(this.#own.privateKey, this.#remote));
    }
  }

  /** @param {Bytes} data */
  async #mixHash(data) {
    const digest = await crypto.subtle.digest("SHA-256", concat([this.#hash, data]));
    this.#hash = new Uint8Array(digest);
  }

  /** @param {Bytes} material */
  async #mixKey(material) {
    const [chainingKey, key] = await expand(await hmac(this.#chainingKey, material), 2);
    this.#chainingKey = chainingKey;
    this.#key = await importCipherKey(key);
  }

  /** @param {CryptoKey} psk */
  async #mixKeyAndHash(psk) {
    const parameters = { name: "HKDF", hash: "SHA-256", salt: this.#chainingKey, info: NO_BYTES };
    const derived = new Uint8Array(await crypto.subtle.deriveBits(parameters, psk, 3 * 256));
    this.#chainingKey = derived.slice(0, 32);
    await this.#mixHash(derived.slice(32, 64));
    this.#key = await importCipherKey(derived.slice(64));
  }

  /** @returns {AesGcmParams} */
  #parameters() {
    // Each key seals one tag in the handshake, so its nonce is always the first.
    return { name: "AES-GCM", iv: FIRST_NONCE, additionalData: this.#hash };
  }

  /** @returns {CryptoKey} */
  #cipherKey() {
    if (this.#key === null) throw new ChatError("bad-argument", "begin the handshake first");
    return this.#key;
  }
}

/**
 * HKDF-Expand without an info.
 *
 * @param {Bytes} extracted
 * @param {number} count
 * @returns {Promise<Bytes[]>} Keys of 32 bytes.
 */
async function expand(extracted, count) {
  /** @type {Bytes[]} */
  const keys = [];
  for (let n = 1; n <= count; n++) {
    keys.push(await hmac(extracted, concat([keys.at(-1) ?? NO_BYTES, Uint8Array.of(n)])));
  }
  return keys;
}

/**
 * @param {Bytes} key
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
async function hmac(key, data) {
  const parameters = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, parameters, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}

/**
 * @param {Bytes} key
 * @returns {Promise<CryptoKey>}
 */
function importCipherKey(key) {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** @returns {Promise<CryptoKeyPair>} */
async function generate() {
  try {
    const made = await crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]);
    return /** @type {CryptoKeyPair} */ (made);
  } catch (error) {
    throw withoutX25519(error);
  }
}

/**
 * @param {Bytes} publicKey
 * @returns {Promise<CryptoKey>}
 */
async function importPublic(publicKey) {
  try {
    return await crypto.subtle.importKey("raw", publicKey, { name: "X25519" }, true, []);
  } catch (error) {
    throw withoutX25519(error);
  }
}

/**
 * @param {unknown} error
 * @returns {ChatError}
 */
function withoutX25519(error) {
  const told =
    "this browser lacks X25519, which a chat with a key needs: update it (Chrome 133, " +
    "Firefox 130 and Safari 17 have it)";
  return new ChatError("no-x25519", told, { cause: error });
}

/**
 * @param {CryptoKey} privateKey
 * @param {CryptoKey} publicKey
 * @returns {Promise<Bytes>}
 * @throws {ByteFault} The shared secret is zero, as only a hostile public key makes it.
 */
async function agree(privateKey, publicKey) {
  let secret = NO_BYTES;
  try {
    const parameters = { name: "X25519", public: publicKey };
    secret = new Uint8Array(await crypto.subtle.deriveBits(parameters, privateKey, 8 * DH_BYTES));
  } catch {
    // WebCrypto refuses such a public key itself.
  }
  if (secret.every((byte) => byte === 0)) {
    throw new ByteFault("bad-record", "the server's public key is not a good key");
  }
  return secret;
}
