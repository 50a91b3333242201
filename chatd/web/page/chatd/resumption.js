/** `Resumption`: continues on a new connection where the last one ended; see `resume.js`. */

import { asChatError, ChatError } from "./errors.js";
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
    try {
      await rejoin(resumable, progress, welcome.rooms);
      await catchUp(resumable, progress, progress.knowsDirect);
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
   */
  async renamed(connection) {
    this.#progress.direct.clear();
    this.#progress.knowsDirect = false;
    try {
      await catchUp(this.#resumableOn(connection), this.#progress, false);
    } catch (error) {
      comeBack(connection, error);
    }
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
