/**
 * Channels: between the bytes of the transport and the stream of frames.
 *
 * Without a key, these are the same. With a key, records of Noise messages are between them. They
 * are opened batch by batch.
 */

import { ByteQueue, concat, NO_BYTES, viewOf } from "./bytes.js";
import { ByteFault, ChatError } from "./errors.js";
import { HANDSHAKE_BYTES, Handshake, TAG_BYTES } from "./noise.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * @typedef {object} Channel
 * @property {boolean} isOpen Whether frames can be sent.
 * @property {(bytes: Bytes) => void} receive Takes bytes of the transport.
 * @property {() => Promise<Bytes>} next Returns the next bytes of the frames; none if there are
 *   none. It fails with the fault in what comes next.
 * @property {() => Bytes} takeHandshake Returns, once, what to send before all else.
 * @property {(plaintext: Bytes) => Promise<Bytes>} seal Returns the bytes for the transport.
 */

export const PREAMBLE = Uint8Array.of(0x89, 0x43, 0x48, 0x41, 0x54, 0x4e, 0x0d, 0x0a);

const LENGTH_BYTES = 2;
const MAX_RECORD = 65_535;
const MAX_PLAINTEXT = MAX_RECORD - TAG_BYTES;
/** Records opened together, at most: each costs far more memory than its bytes until it is open. */
const BATCH_RECORDS = 256;

/**
 * @param {CryptoKey | null} psk
 * @returns {Channel} The client's channel.
 */
export function clientChannel(psk) {
  return psk === null ? new ClearChannel() : new SecureChannel(psk);
}

/** The channel without a key. */
export class ClearChannel {
  #queue = new ByteQueue();
  #isChecked = false;
  isOpen = true;

  /** @param {Bytes} bytes */
  receive(bytes) {
    this.#queue.push(bytes);
  }

  async next() {
    const bytes = this.#queue.takeAll();
    if (bytes.length > 0 && !this.#isChecked) {
      this.#isChecked = true;
      if (bytes[0] === PREAMBLE[0]) {
        const told = "the server has a key: give the text of its key file as the option key";
        throw new ChatError("key-required", told);
      }
      if (bytes[0] !== 0) throw notChatd();
    }
    return bytes;
  }

  takeHandshake() {
    return NO_BYTES;
  }

  /** @param {Bytes} plaintext */
  async seal(plaintext) {
    return plaintext;
  }
}

/** The client's channel with a key: preamble, handshake, records. */
export class SecureChannel {
  #psk;
  #ephemeral;
  #queue = new ByteQueue();
  #hasPreamble = false;
  #handshake = NO_BYTES;
  /** @type {Cipher | null} */
  #opening = null;
  /** @type {Cipher | null} */
  #sealing = null;
  /** @type {ChatError | null} */
  #fault = null;

  /**
   * @param {CryptoKey} psk
   * @param {CryptoKeyPair | null} [ephemeral] A key pair for tests alone.
   */
  constructor(psk, ephemeral = null) {
    this.#psk = psk;
    this.#ephemeral = ephemeral;
  }

  get isOpen() {
    return this.#sealing !== null;
  }

  /** @param {Bytes} bytes */
  receive(bytes) {
    this.#queue.push(bytes);
  }

  async next() {
    if (this.#fault !== null) throw this.#fault;
    if (!this.#hasPreamble && !this.#takePreamble()) return NO_BYTES;
    if (this.#opening === null && !(await this.#takeHandshakeRecord())) return NO_BYTES;
    return this.#openRecords();
  }

  takeHandshake() {
    const handshake = this.#handshake;
    this.#handshake = NO_BYTES;
    return handshake;
  }

  /** @param {Bytes} plaintext */
  async seal(plaintext) {
    const cipher = this.#sealing;
    if (cipher === null) throw new ChatError("bad-argument", "the channel is not open yet");
    /** @type {Promise<Bytes>[]} */
    const sealed = [];
    for (let offset = 0; offset < plaintext.length; offset += MAX_PLAINTEXT) {
      sealed.push(cipher.seal(plaintext.subarray(offset, offset + MAX_PLAINTEXT)));
    }
    return concat((await Promise.all(sealed)).flatMap((record) => [lengthOf(record), record]));
  }

  /** @returns {boolean} Whether the preamble is there. */
  #takePreamble() {
    const bytes = this.#queue.peek();
    if (bytes.length > 0 && bytes[0] === 0) {
      throw new ChatError(
        "key-unexpected",
        "the server has no key: connect without the option key",
      );
    }
    const given = bytes.subarray(0, PREAMBLE.length);
    if (!given.every((byte, index) => byte === PREAMBLE[index])) throw notChatd();
    if (given.length < PREAMBLE.length) return false;
    this.#queue.drop(PREAMBLE.length);
    this.#hasPreamble = true;
    return true;
  }

  /** @returns {Promise<boolean>} Whether the server's handshake message is there. */
  async #takeHandshakeRecord() {
    const bytes = this.#queue.peek();
    if (bytes.length < LENGTH_BYTES) return false;
    const length = viewOf(bytes).getUint16(0);
    if (length !== HANDSHAKE_BYTES) {
      throw new ByteFault("bad-record", "the server's handshake has a wrong length");
    }
    const end = LENGTH_BYTES + length;
    if (bytes.length < end) return false;
    const message = bytes.slice(LENGTH_BYTES, end);
    this.#queue.drop(end);
    const handshake = await Handshake.begin(this.#psk, PREAMBLE, this.#ephemeral);
    await handshake.readMessage(message);
    const answer = await handshake.writeMessage();
    const [fromServer, toServer] = await handshake.split();
    this.#handshake = concat([lengthOf(answer), answer]);
    this.#opening = new Cipher(fromServer);
    this.#sealing = new Cipher(toServer);
    return true;
  }

  /**
   * Open batches until one has bytes of frames: a record may be empty.
   *
   * @returns {Promise<Bytes>}
   */
  async #openRecords() {
    for (;;) {
      const records = this.#takeRecords();
      const joined = concat(await this.#openBatch(records));
      if (joined.length > 0) return joined;
      if (this.#fault !== null) throw this.#fault;
      if (records.length === 0) return joined;
    }
  }

  /**
   * @param {Bytes[]} records
   * @returns {Promise<Bytes[]>} The plaintexts before the first fault.
   */
  async #openBatch(records) {
    const cipher = /** @type {Cipher} */ (this.#opening);
    const opened = await Promise.all(records.map((record) => cipher.open(record)));
    /** @type {Bytes[]} */
    const good = [];
    for (const plaintext of opened) {
      if (plaintext === null) {
        this.#fault = new ByteFault("bad-record", "a record of the server does not open");
        break;
      }
      good.push(plaintext);
    }
    return good;
  }

  /** @returns {Bytes[]} The next complete records that have arrived. */
  #takeRecords() {
    const bytes = this.#queue.peek();
    /** @type {Bytes[]} */
    const records = [];
    let offset = 0;
    while (records.length < BATCH_RECORDS && bytes.length - offset >= LENGTH_BYTES) {
      const length = viewOf(bytes).getUint16(offset);
      if (length < TAG_BYTES) {
        this.#fault = new ByteFault("bad-record", "a record of the server is too short");
        break;
      }
      const end = offset + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      records.push(bytes.subarray(offset + LENGTH_BYTES, end));
      offset = end;
    }
    if (offset > 0) this.#queue.drop(offset);
    return records;
  }
}

/** One direction of a channel: AES-GCM with a counter as the nonce. */
export class Cipher {
  #key;
  #counter = 0n;

  /** @param {CryptoKey} key */
  constructor(key) {
    this.#key = key;
  }

  /**
   * @param {Bytes} plaintext
   * @returns {Promise<Bytes>}
   */
  async seal(plaintext) {
    return new Uint8Array(await crypto.subtle.encrypt(this.#next(), this.#key, plaintext));
  }

  /**
   * @param {Bytes} sealed
   * @returns {Promise<Bytes | null>} Null if it does not open.
   */
  async open(sealed) {
    const parameters = this.#next();
    try {
      return new Uint8Array(await crypto.subtle.decrypt(parameters, this.#key, sealed));
    } catch {
      return null;
    }
  }

  /** @returns {AesGcmParams} */
  #next() {
    const iv = new Uint8Array(12);
    viewOf(iv).setBigUint64(4, this.#counter);
    this.#counter += 1n;
    return { name: "AES-GCM", iv };
  }
}

/**
 * @param {Bytes} record
 * @returns {Bytes}
 */
function lengthOf(record) {
  const length = new Uint8Array(LENGTH_BYTES);
  viewOf(length).setUint16(0, record.length);
  return length;
}

/** @returns {ChatError} */
function notChatd() {
  return new ChatError("bad-magic", "this is no chatd server");
}
