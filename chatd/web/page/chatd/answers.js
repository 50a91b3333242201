/** The answers that a client waits for on one connection, and the pages of history among them. */

import { atCaller, ChatError } from "./errors.js";
import { DEFAULT_PAGE, MAX_COMMANDS, PAGE_BYTES } from "./limits.js";

/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./progress.js").ChatMessage} ChatMessage */

/**
 * @typedef {object} Waiting
 * @property {(result: Fields) => void} answered
 * @property {(error: ChatError) => void} failed
 * @property {Page | null} page
 */

/** The messages of a `history`, while they arrive. */
class Page {
  /** @type {ChatMessage[]} */
  messages = [];
  #bytes = 0;

  /** @param {number} limit The number of messages that the command asks for. */
  constructor(limit) {
    this.limit = limit;
  }

  /**
   * @param {ChatMessage} message
   * @param {number} maxContent
   * @returns {boolean} Whether the page is still no larger than a page can be.
   */
  add(message, maxContent) {
    this.messages.push(message);
    this.#bytes += message.content.length;
    return this.messages.length <= this.limit && this.#bytes <= PAGE_BYTES + maxContent;
  }
}

export class Answers {
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();

  /**
   * Wait for the answer to a command.
   *
   * @template T
   * @param {string} id
   * @param {Fields} command Its fields.
   * @param {(result: Fields, messages: ChatMessage[]) => T} read Called as soon as the answer is
   *   there, before what follows it is read.
   * @returns {Promise<T>}
   */
  wait(id, command, read) {
    if (this.#waiting.size >= MAX_COMMANDS) {
      const told = `${MAX_COMMANDS} commands wait for their answers already`;
      return Promise.reject(new ChatError("too-many-waiting", told));
    }
    const isHistory = command.command === "history";
    const page = isHistory ? new Page(Number(command.limit ?? DEFAULT_PAGE)) : null;
    const thrown = atCaller();
    return new Promise((resolve, reject) => {
      /** @param {unknown} error */
      const failed = (error) => reject(thrown(error));
      /** @param {Fields} result */
      const answered = (result) => {
        try {
          resolve(read(result, page === null ? [] : page.messages));
        } catch (error) {
          failed(error);
        }
      };
      this.#waiting.set(id, { answered, failed, page });
    });
  }

  /**
   * @param {string | null} ref
   * @returns {Page | null} The page of the `history` with this id.
   */
  pageOf(ref) {
    return ref === null ? null : (this.#waiting.get(ref)?.page ?? null);
  }

  /**
   * @param {string} id
   * @param {Fields} result
   * @returns {boolean} Whether a command with this id waited.
   */
  answer(id, result) {
    const waiting = this.#take(id);
    waiting?.answered(result);
    return waiting !== undefined;
  }

  /**
   * @param {string | null} id
   * @param {ChatError} error
   * @returns {boolean} Whether a command with this id waited.
   */
  fail(id, error) {
    const waiting = id === null ? undefined : this.#take(id);
    waiting?.failed(error);
    return waiting !== undefined;
  }

  /** @param {ChatError} error */
  failAll(error) {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { failed } of all) failed(error);
  }

  /**
   * @param {string} id
   * @returns {Waiting | undefined}
   */
  #take(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
