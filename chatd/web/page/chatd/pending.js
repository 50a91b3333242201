/** `PendingMessages`: a client's messages, each until its receipt comes; and which of them wait. */

import { atCaller, ChatError } from "./errors.js";
import { MAX_UNCONFIRMED, MAX_UNCONFIRMED_BYTES } from "./limits.js";
import { fold } from "./names.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./json.js").Fields} Fields */

/** @typedef {{seq: number, time: number, id: string}} Receipt */

/**
 * @typedef {object} Unconfirmed
 * @property {Fields} header
 * @property {Bytes} content
 * @property {(receipt: Receipt) => void} confirmed
 * @property {(error: ChatError) => void} failed
 */

/**
 * The messages that have no receipt, in the order in which the program gave them. A message waits
 * if none of its copies is without an answer in this session.
 */
export class PendingMessages {
  /** @type {Map<string, Unconfirmed>} By id. */
  #all = new Map();
  /** @type {Map<string, Unconfirmed>} Those that wait. */
  #waiting = new Map();
  /** Whether those that wait are in their order. */
  #isOrdered = true;
  #bytes = 0;
  #confirmed = () => {};

  /** @returns {number} How many messages have no receipt. */
  get size() {
    return this.#all.size;
  }

  /** @returns {number} How many messages wait. */
  get waiting() {
    return this.#waiting.size;
  }

  /**
   * @param {string} id
   * @returns {boolean} Whether the message has no receipt.
   */
  has(id) {
    return this.#all.has(id);
  }

  /**
   * @param {string} id
   * @returns {boolean}
   */
  isWaiting(id) {
    return this.#waiting.has(id);
  }

  /**
   * Keep a message until its receipt comes.
   *
   * @param {string} id
   * @param {Fields} header
   * @param {Bytes} content
   * @returns {Promise<Receipt>}
   */
  keep(id, header, content) {
    if (this.#all.has(id)) {
      const told = `the message ${id} was sent already, and waits for its receipt`;
      return Promise.reject(new ChatError("bad-argument", told));
    }
    const size = this.#bytes + content.length;
    if (this.#all.size >= MAX_UNCONFIRMED || size > MAX_UNCONFIRMED_BYTES) {
      const told = `${this.#all.size} messages wait for their receipts: await some of them`;
      return Promise.reject(new ChatError("too-many-waiting", told));
    }
    this.#bytes = size;
    const thrown = atCaller();
    return new Promise((confirmed, reject) => {
      /** @param {ChatError} error */
      const failed = (error) => reject(thrown(error));
      const kept = { header, content, confirmed, failed };
      this.#all.set(id, kept);
      this.#waiting.set(id, kept);
    });
  }

  /**
   * Forget a message: its answer is there.
   *
   * @param {string} id
   * @returns {Unconfirmed | undefined}
   */
  answered(id) {
    const kept = this.#all.get(id);
    if (kept !== undefined) {
      this.#all.delete(id);
      this.#waiting.delete(id);
      this.#bytes -= kept.content.length;
      if (this.#all.size === 0) this.#confirmed();
    }
    return kept;
  }

  /**
   * Fail a message.
   *
   * @param {string} id
   * @param {ChatError} error Not only of this message.
   */
  fail(id, { code, message, retry, retryAfter }) {
    this.answered(id)?.failed(new ChatError(code, message, { retry, retryAfter, ref: id }));
  }

  /**
   * Refuse the messages for a room.
   *
   * @param {string} room
   * @param {ChatError} error Why the client may not enter it.
   */
  refuse(room, { code, message }) {
    for (const [id, { header }] of [...this.#all]) {
      if (typeof header.room !== "string" || fold(header.room) !== fold(room)) continue;
      this.fail(id, new ChatError(code, message));
    }
  }

  /** Forget which messages were sent: none is on its way any more. */
  forgetSent() {
    this.#waiting = new Map(this.#all);
    this.#isOrdered = true;
  }

  /** @param {string} id A message that waits again: the server has not stored what was sent. */
  putBack(id) {
    this.#waiting.set(id, /** @type {Unconfirmed} */ (this.#all.get(id)));
    this.#isOrdered = false;
  }

  /**
   * Return the first that wait, and note that they are sent.
   *
   * @param {number} [limit] All, if missing.
   * @returns {[string, Unconfirmed][]} By id, in the order in which the program sent them.
   */
  take(limit = Infinity) {
    if (!this.#isOrdered) {
      this.#waiting = new Map([...this.#all].filter(([id]) => this.#waiting.has(id)));
      this.#isOrdered = true;
    }
    const taken = [];
    for (const each of this.#waiting) {
      if (taken.length >= limit) break;
      taken.push(each);
    }
    for (const [id] of taken) this.#waiting.delete(id);
    return taken;
  }

  /** @param {() => void} call Called when each message has its answer. */
  whenConfirmed(call) {
    this.#confirmed = call;
    if (this.#all.size === 0) call();
  }

  /** @param {ChatError} error Why those that wait fail. */
  failWaiting(error) {
    for (const [id] of this.take()) this.fail(id, error);
  }

  /** @param {ChatError} error There will be no further connection. */
  close(error) {
    for (const id of [...this.#all.keys()]) this.answered(id)?.failed(error);
  }
}
