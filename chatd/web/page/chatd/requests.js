/** `Requests`: the commands of a client, and what their answers change. */

import { encodeObject } from "./json.js";
import { randomId } from "./bytes.js";
import { ChatError } from "./errors.js";
import { checkFields, HISTORY, JOINED, RENAMED } from "./fields.js";
import { Type } from "./messages.js";
import { fold } from "./names.js";
import { joinedRoom } from "./resume.js";

/** @typedef {import("./answers.js").Answers} Answers */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./progress.js").ChatMessage} ChatMessage */
/** @typedef {import("./progress.js").Position} Position */
/** @typedef {import("./progress.js").Progress} Progress */
/** @typedef {import("./resume.js").HistoryPage} HistoryPage */
/** @typedef {import("./resume.js").JoinedRoom} JoinedRoom */
/** @typedef {import("./resume.js").Place} Place */

/**
 * @typedef {object} Told What requests tell their client.
 * @property {(joined: JoinedRoom) => void} tellJoined
 * @property {(room: string) => void} tellLeft
 * @property {(name: string) => void} tellRenamed
 * @property {(password: string) => void} tellPassword
 */

export class Requests {
  #answers;
  #progress;
  #told;
  #connection;

  /**
   * @param {Answers} answers
   * @param {Progress} progress
   * @param {Told} told
   * @param {() => Connection | null} connection Returns the present connection.
   */
  constructor(answers, progress, told, connection) {
    this.#answers = answers;
    this.#progress = progress;
    this.#told = told;
    this.#connection = connection;
  }

  /**
   * Give a command. What the answers to `join`, `leave`, `name` and `password` say is noted too.
   *
   * @param {string} command
   * @param {Fields} fields
   * @returns {Promise<Fields>} The fields of the RESULT.
   */
  command(command, fields) {
    return this.#ask({ ...fields, command }, ({ id: _, ...result }) => {
      if (command === "join") this.#joined(fields, result);
      if (command === "leave") this.#told.tellLeft(String(fields.room));
      if (command === "password") this.#told.tellPassword(String(fields.new));
      if (command === "name") {
        checkFields(result, RENAMED);
        this.#told.tellRenamed(String(result.name));
      }
      return result;
    });
  }

  /**
   * @param {string} room
   * @param {Place} [place]
   * @returns {Promise<JoinedRoom>}
   */
  join(room, { after, epoch, afterId } = {}) {
    const fields = { command: "join", room, after, epoch, after_id: afterId };
    return this.#ask(fields, (result) => this.#joined(fields, result));
  }

  /**
   * Read a page of history.
   *
   * @param {Fields} fields
   * @param {(page: HistoryPage) => void} [read] Called before what follows the page is read.
   * @returns {Promise<HistoryPage>}
   */
  history(fields, read = () => {}) {
    return this.#ask({ command: "history", ...fields }, (result, messages) => {
      checkFields(result, HISTORY);
      if (result.count !== messages.length) {
        throw new ChatError("bad-request", "the server's count of messages is wrong");
      }
      const recovered = /** @type {boolean | null} */ (result.recovered ?? null);
      const complete = result.complete === true;
      const page = { messages, epoch: String(result.epoch), complete, recovered };
      read(page);
      return page;
    });
  }

  /**
   * Read the direct messages after a position.
   *
   * @param {Position} position
   * @param {number} limit
   * @param {(page: HistoryPage) => void} read
   */
  directAfter({ name, seq, epoch, id }, limit, read) {
    return this.history({ with: name, after: seq ?? 0, epoch, after_id: id, limit }, read);
  }

  /**
   * @param {Fields} asked
   * @param {Fields} result
   * @returns {JoinedRoom}
   */
  #joined(asked, result) {
    checkFields(result, JOINED);
    const joined = joinedRoom(result);
    if (fold(joined.room) !== fold(String(asked.room))) {
      throw new ChatError("bad-request", "the server's answer is for another room");
    }
    let { seq, lastId } = joined;
    if (typeof asked.after === "number") {
      // Without `recovered`, all that the room keeps follows.
      seq = joined.recovered ? asked.after : 0;
      lastId = joined.recovered && typeof asked.after_id === "string" ? asked.after_id : null;
    }
    this.#progress.joined(joined.room, joined.epoch, seq, lastId);
    this.#told.tellJoined(joined);
    return joined;
  }

  /**
   * @template T
   * @param {Fields} fields
   * @param {(result: Fields, messages: ChatMessage[]) => T} read
   * @returns {Promise<T>}
   */
  async #ask(fields, read) {
    const connection = this.#connection();
    if (connection === null || !connection.session.isEstablished) {
      throw new ChatError("connection-lost", "there is no session now", { retry: true });
    }
    const command = { ...fields, id: randomId() };
    encodeObject(command); // fails before anything waits for it
    const answer = this.#answers.wait(command.id, command, read);
    connection.session.send(Type.COMMAND, command);
    connection.flush();
    return answer;
  }
}
