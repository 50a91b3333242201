/** `Sending`: sends a client's messages, each until its receipt comes. */

import { takeHeader } from "./arguments.js";
import { encodeText } from "./bytes.js";
import { ChatError } from "./errors.js";
import { checkWhole, encodeObject } from "./json.js";
import { CLOSE_TIMEOUT_S } from "./limits.js";
import { Type } from "./messages.js";
import { Outage } from "./outage.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./keeper.js").Keeper} Keeper */
/** @typedef {import("./pending.js").Receipt} Receipt */
/** @typedef {import("./pending.js").Unconfirmed} Unconfirmed */
/** @typedef {import("./progress.js").Progress} Progress */

export class Sending {
  #progress;
  #pending;
  #keeper;
  #clock;
  #waits;
  #outage;

  /**
   * @param {Progress} progress Keeps the messages that have no receipt.
   * @param {Keeper} keeper Keeps the connection.
   * @param {Clock} clock
   * @param {boolean} waits Whether messages wait while the server's store fails.
   */
  constructor(progress, keeper, clock, waits) {
    this.#progress = progress;
    this.#pending = progress.pending;
    this.#keeper = keeper;
    this.#clock = clock;
    this.#waits = waits;
    this.#outage = new Outage(clock, this.#pending, (limit) => this.#sendFirst(limit));
  }

  /**
   * @param {unknown} content
   * @param {unknown} place
   * @returns {Promise<Receipt>}
   */
  async send(content, place) {
    const header = takeHeader(place);
    this.#keeper.checkGoing();
    if (typeof content !== "string" && !(content instanceof Uint8Array)) {
      throw new ChatError("bad-argument", "a content must be text or a Uint8Array");
    }
    if (typeof content === "string") checkWhole(content);
    const bytes = typeof content === "string" ? encodeText(content) : Uint8Array.from(content);
    this.#choosePlace(header);
    encodeObject(header); // fails now if it cannot be sent
    const receipt = this.#pending.keep(header.id, header, bytes);
    this.sendWaiting();
    return receipt;
  }

  /** Send what waits, if messages flow. */
  sendWaiting() {
    if (this.#outage.refusal === null) this.#sendFirst();
  }

  /**
   * Forget a message: it is confirmed.
   *
   * @param {string} id
   * @returns {Unconfirmed | undefined}
   */
  confirmed(id) {
    return this.#outage.answered(id, true);
  }

  /**
   * @param {string | null} id
   * @param {ChatError} error
   * @returns {boolean} Whether the message with this id had no answer.
   */
  refused(id, error) {
    if (id === null || !this.#pending.has(id)) return false;
    if (this.#waits && this.#outage.refused(id, error)) return true;
    this.#outage.answered(id, false)?.failed(error);
    return true;
  }

  /** The session is over: the next one sends again all that has no receipt. */
  lost() {
    this.#outage.forget();
    this.#pending.forgetSent();
  }

  /**
   * There will be no further session: fail all messages. What waits for the store was not stored.
   *
   * @param {ChatError} error
   */
  close(error) {
    const { refusal } = this.#outage;
    this.#outage.forget();
    if (refusal !== null) this.#pending.failWaiting(refusal);
    this.#pending.close(error);
  }

  /**
   * Wait until each message has its receipt, or the time is over.
   *
   * @returns {Promise<void>}
   */
  lastReceipts() {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => resolve(), 1000 * CLOSE_TIMEOUT_S);
      this.#pending.whenConfirmed(() => {
        this.#clock.clearTimeout(timer);
        resolve();
      });
    });
  }

  /** @param {number} [limit] How many messages to send, of those that wait; all, if missing. */
  #sendFirst(limit) {
    const connection = this.#keeper.flowing;
    if (connection === null) return;
    let isSent = false;
    while (!isSent && this.#pending.waiting > 0) {
      for (const [id, kept] of this.#pending.take(limit)) {
        if (this.#transmit(connection, id, kept)) isSent = true;
      }
    }
    if (isSent) connection.flush();
  }

  /**
   * @param {Connection} connection
   * @param {string} id
   * @param {Unconfirmed} message
   * @returns {boolean} Whether the server takes a message of this size.
   */
  #transmit({ session }, id, { header, content }) {
    if (content.length > session.maxContent) {
      const told = `a content of ${content.length} bytes: the server takes ${session.maxContent}`;
      this.#pending.fail(id, new ChatError("too-large", told));
      return false;
    }
    this.#choosePlace(header);
    session.send(Type.MESSAGE, header, content);
    this.#outage.sent(id);
    return true;
  }

  /**
   * Give a message without a place the first room, as soon as a room is known. It is never another
   * room later, when the first may be gone.
   *
   * @param {Fields} header
   */
  #choosePlace(header) {
    if (header.room === undefined && header.to === undefined) {
      header.room = this.#progress.roomNames[0];
    }
  }
}
