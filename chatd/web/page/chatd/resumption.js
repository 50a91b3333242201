/** `Resumption`: continues on a new connection where the last one ended; see `resume.js`. */

import { asChatError, ChatError } from "./errors.js";
import { fold } from "./names.js";
import { catchUp, rejoin } from "./resume.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./incoming.js").Incoming} Incoming */
/** @typedef {import("./progress.js").Progress} Progress */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {import("./resume.js").Resumable} Resumable */
/** @typedef {import("./session.js").Welcome} Welcome */

export class Resumption {
  #progress;
  #requests;
  #incoming;
  /** The folded name of the last session. */
  #name = "";

  /**
   * @param {Progress} progress
   * @param {Requests} requests
   * @param {Incoming} incoming
   */
  constructor(progress, requests, incoming) {
    this.#progress = progress;
    this.#requests = requests;
    this.#incoming = incoming;
  }

  /**
   * Continue where the last session ended.
   *
   * @param {Connection} connection
   * @param {Welcome} welcome
   * @returns {Promise<boolean>} Whether messages flow; if not, the session is over.
   */
  async begin(connection, welcome) {
    const progress = this.#progress;
    const resumable = this.#resumableOn(connection);
    this.#incoming.resumable = resumable;
    const isKept = this.#isKept(welcome.name);
    try {
      await rejoin(resumable, progress, welcome.rooms);
      await catchUp(resumable, progress, isKept);
    } catch (error) {
      comeBack(connection, error);
    }
    if (connection.session.isOver) return false;
    progress.wasConnected = true;
    return true;
  }

  /**
   * Learn the places of the direct messages: another name has others.
   *
   * @param {Connection} connection
   * @param {string} name
   */
  async renamed(connection, name) {
    const isKept = this.#isKept(name);
    try {
      await catchUp(this.#resumableOn(connection), this.#progress, isKept);
    } catch (error) {
      comeBack(connection, error);
    }
  }

  /**
   * Note the name of the session; of another name, no place in direct messages is known.
   *
   * @param {string} name
   * @returns {boolean} Whether the client had this name in an earlier session.
   */
  #isKept(name) {
    const isKept = fold(name) === this.#name;
    if (!isKept) {
      this.#name = fold(name);
      this.#progress.direct.clear();
      this.#progress.knowsDirect = false;
    }
    return isKept;
  }

  /**
   * @param {Connection} connection
   * @returns {Resumable}
   */
  #resumableOn(connection) {
    const requests = this.#requests;
    const incoming = this.#incoming;
    return {
      join: (room, place) => requests.join(room, place),
      read: (position, limit, read) => requests.directAfter(position, limit, read),
      command: (command, fields) => requests.command(command, fields),
      receive: (message) => incoming.take(message, connection),
      isOver: () => connection.session.isOver,
      tellJoined: (joined) => incoming.tellJoined(joined),
      tellRooms: () => incoming.tellRooms(),
      tellRecovered: (place, recovered) => incoming.tellRecovered(place, recovered),
      tellError: (error) => incoming.tellError(error),
    };
  }
}

/**
 * End a session that cannot go on; the next one may.
 *
 * @param {Connection} connection
 * @param {unknown} error
 */
function comeBack(connection, error) {
  const { code, message } = asChatError(error);
  connection.leave(new ChatError(code, message, { retry: true }));
}
