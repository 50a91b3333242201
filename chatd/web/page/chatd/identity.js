/** `Identity`: as whom a client goes to the server: its name, its password, and the key. */

import { encodeObject } from "./json.js";
import { importKeys, readKey } from "./keys.js";

/** @typedef {import("./keys.js").Keys} Keys */
/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./session.js").Greeting} Greeting */

export class Identity {
  /** The name that the server gave; empty until the welcome. */
  name = "";
  /** @type {Options["key"]} */
  #key;
  #asked;
  #password;
  #hasTls;
  #isKeyed = false;

  /**
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, { name, password, key }) {
    this.#asked = name;
    this.#password = password;
    this.#key = key;
    this.#hasTls = /^wss:/i.test(url);
  }

  /** @returns {boolean} Whether nobody can listen to what is sent. */
  get isEncrypted() {
    return this.#isKeyed || this.#hasTls;
  }

  /**
   * Give the key to WebCrypto, and forget it: call it once.
   *
   * @returns {Promise<Keys>}
   * @throws {import("./errors.js").ChatError} `bad-key`
   */
  async takeKeys() {
    const key = this.#key;
    this.#key = null;
    const raw = key === undefined || key === null || key === "" ? null : readKey(key);
    this.#isKeyed = raw !== null;
    return importKeys(raw);
  }

  /** @param {string} password The password of the next sessions. */
  keepPassword(password) {
    this.#password = password;
  }

  /**
   * @param {string[] | undefined} rooms
   * @returns {Greeting} What to ask for in a new session.
   * @throws {import("./errors.js").ChatError} It cannot be sent.
   */
  greeting(rooms) {
    const name = this.name || this.#asked || undefined;
    const password = this.isEncrypted ? this.#password : undefined;
    const greeting = { name, password, rooms };
    encodeObject(greeting); // fails now if it cannot be sent
    return greeting;
  }
}
