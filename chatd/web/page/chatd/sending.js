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
/** @typedef {import("./progress.js").Progress} Progress */
/** @typedef {import("./progress.js").Receipt} Receipt */
/** @typedef {import("./progress.js").Unconfirmed} Unconfirmed */

export class Sending {
  #progress;
  #keeper;
  #clock;
  #outage;

  /**
   * @param {Progress} progress Keeps the messages that have no receipt.
   * @param {Keeper} keeper Keeps the connection.
   * @param {Clock} clock
   */
  constructor(progress, keeper, clock) {
    this.#progress = progress;
    this.#keeper = keeper;
    this.#clock = clock;
    this.#outage = new Outage(clock, {
      sendFirst: () => this.#sendFirst(),
      sendAll: () => this.#sendAll(),
      failAll: (error) => this.#failAll(error),
    });
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
    const receipt = this.#progress.keep(header.id, header, bytes);
    this.sendWaiting();
    return receipt;
  }

  /** Send what is not sent yet, if messages flow. */
  sendWaiting() {
    if (this.#outage.isOn || this.#keeper.flowing === null) return;
    this.#transmit(this.#progress.takeUnsent());
  }

  /**
   * Forget a message: it is confirmed.
   *
   * @param {string} id
   * @returns {Unconfirmed | undefined}
   */
  confirmed(id) {
    const kept = this.#progress.answered(id);
    this.#outage.answered(id);
    return kept;
  }

  /**
   * @param {string | null} id
   * @param {ChatError} error
   * @returns {boolean} Whether a message with this id waited.
   */
  refused(id, error) {
    if (id === null || !this.#progress.unconfirmed.has(id)) return false;
    if (!this.#outage.refused(id, error)) this.confirmed(id)?.failed(error);
    return true;
  }

  /** The session is over: the next one sends again all that has no receipt. */
  lost() {
    this.#outage.forget();
    this.#progress.forgetSent();
  }

  /**
   * Wait until each message has its receipt, or the time is over.
   *
   * @returns {Promise<void>}
   */
  lastReceipts() {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => resolve(), 1000 * CLOSE_TIMEOUT_S);
      this.#progress.whenConfirmed(() => {
        this.#clock.clearTimeout(timer);
        resolve();
      });
    });
  }

  #sendFirst() {
    for (const first of this.#progress.unconfirmed) {
      this.#transmit([first]);
      if (this.#outage.isSent(first[0])) return; // else it was too large
    }
  }

  #sendAll() {
    this.#progress.forgetSent();
    this.sendWaiting();
  }

  /** @param {ChatError} error The last refusal. */
  #failAll({ code, message, retry, retryAfter }) {
    for (const id of [...this.#progress.unconfirmed.keys()]) {
      const error = new ChatError(code, message, { retry, retryAfter, ref: id });
      this.#progress.answered(id)?.failed(error);
    }
  }

  /** @param {Iterable<[string, Unconfirmed]>} messages */
  #transmit(messages) {
    const connection = this.#keeper.flowing;
    if (connection === null) return;
    const { session } = connection;
    for (const [id, { header, content }] of messages) {
      if (content.length > session.maxContent) {
        const told = `a content of ${content.length} bytes: the server takes ${session.maxContent}`;
        this.#progress.answered(id)?.failed(new ChatError("too-large", told, { ref: id }));
        continue;
      }
      this.#choosePlace(header);
      session.send(Type.MESSAGE, header, content);
      this.#outage.sent(id);
    }
    connection.flush();
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
