/** `Sending`: sends a client's messages, each until its receipt comes. */

import { takeHeader } from "./arguments.js";
import { encodeText } from "./bytes.js";
import { ChatError } from "./errors.js";
import { checkWhole, encodeObject } from "./json.js";
import { CLOSE_TIMEOUT_S } from "./limits.js";
import { Type } from "./messages.js";

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

  /**
   * @param {Progress} progress Keeps the messages that have no receipt.
   * @param {Keeper} keeper Keeps the connection.
   * @param {Clock} clock
   */
  constructor(progress, keeper, clock) {
    this.#progress = progress;
    this.#keeper = keeper;
    this.#clock = clock;
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
    this.sendAll();
    return receipt;
  }

  /** Send what the present connection has not sent yet, if messages flow. */
  sendAll() {
    const connection = this.#keeper.flowing;
    if (connection === null) return;
    for (const [id, kept] of this.#progress.unsent(connection)) {
      this.#transmit(id, kept, connection);
    }
    connection.flush();
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

  /**
   * @param {string} id
   * @param {Unconfirmed} kept
   * @param {Connection} connection
   */
  #transmit(id, { header, content }, { session }) {
    if (content.length > session.maxContent) {
      const told = `a content of ${content.length} bytes: the server takes ${session.maxContent}`;
      this.#progress.answered(id)?.failed(new ChatError("too-large", told, { ref: id }));
      return;
    }
    this.#choosePlace(header);
    session.send(Type.MESSAGE, header, content);
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
