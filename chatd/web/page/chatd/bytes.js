/**
 * Bytes: joining, a queue of pieces, UTF-8, base64url and random ids.
 *
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 */

export const NO_BYTES = new Uint8Array(0);

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * @param {readonly Bytes[]} parts
 * @returns {Bytes} The parts joined; a single part as it is, without a copy.
 */
export function concat(parts) {
  const [first] = parts;
  if (first === undefined) return NO_BYTES;
  if (parts.length === 1) return first;
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * @param {Bytes} bytes
 * @returns {DataView<ArrayBuffer>} A view that reads and writes big-endian integers.
 */
export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * @param {string} text
 * @returns {Bytes} The text in UTF-8, with U+FFFD for half a surrogate pair.
 */
export function encodeText(text) {
  return encoder.encode(text);
}

/**
 * @param {Bytes} bytes
 * @returns {string}
 * @throws {TypeError} The bytes are not UTF-8.
 */
export function decodeText(bytes) {
  return strictDecoder.decode(bytes);
}

/**
 * @param {Bytes} bytes
 * @returns {string} The text, with U+FFFD for bytes that are not UTF-8.
 */
export function decodeLeniently(bytes) {
  return lenientDecoder.decode(bytes);
}

/**
 * @param {string} text Base64url (RFC 4648, section 5), with or without its padding.
 * @returns {Bytes | null} Null if it is none.
 */
export function decodeBase64Url(text) {
  const bare = text.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9_-]*$/.test(bare) || bare.length % 4 === 1) return null;
  const binary = atob(bare.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/**
 * @returns {string} A random id of 32 hexadecimal digits. It works in insecure contexts too, where
 *   `crypto.randomUUID` is missing.
 */
export function randomId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The pieces of a stream that were not read yet; joined only when they are needed. */
export class ByteQueue {
  /** @type {Bytes[]} */
  #parts = [];
  #size = 0;

  get size() {
    return this.#size;
  }

  /** @param {Bytes} bytes */
  push(bytes) {
    if (bytes.length > 0) {
      this.#parts.push(bytes);
      this.#size += bytes.length;
    }
  }

  /** @returns {Bytes} All that waits, in one piece; it stays in the queue. */
  peek() {
    const joined = concat(this.#parts);
    if (this.#parts.length > 1) this.#parts = [joined];
    return joined;
  }

  /**
   * Remove bytes from the front.
   *
   * @param {number} size
   */
  drop(size) {
    const rest = this.peek().subarray(size);
    this.clear();
    // A short rest is copied, so that it does not keep the whole piece in memory.
    this.push(rest.length < 4096 ? rest.slice() : rest);
  }

  /** @returns {Bytes} All that waits; the queue is empty then. */
  takeAll() {
    const joined = concat(this.#parts);
    this.clear();
    return joined;
  }

  clear() {
    this.#parts = [];
    this.#size = 0;
  }
}
