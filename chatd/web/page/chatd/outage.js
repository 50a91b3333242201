/**
 * `Outage`: while the server's store fails, a client holds its messages, and tries one at a time.
 *
 * It knows no connection: it hears what was sent and what was answered, and says what to send. The
 * delays are those of `chatd.client.outage`.
 */

import { advance, OUTAGE_STATES } from "./states.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./errors.js").ChatError} ChatError */
/** @typedef {import("./states.js").OutageState} OutageState */

/** The code of a refusal that begins an outage. */
const NOT_STORED = "not-stored";
/** The delay before the first attempt; each refused attempt doubles it. */
const FIRST_DELAY_S = 1;
const MAX_DELAY_S = 8;
/** After so long, the program hears of the next refusal. */
const PATIENCE_S = 60;

/**
 * @typedef {object} Held What an outage does with the messages that wait.
 * @property {() => void} sendFirst Sends the first, if any waits.
 * @property {() => void} sendAll Sends all of them, in their order.
 * @property {(error: ChatError) => void} failAll
 */

export class Outage {
  /** @type {OutageState} */
  #state = "none";
  #clock;
  #held;
  /** @type {Set<string>} The ids of the messages that were sent and have no answer. */
  #sent = new Set();
  #since = 0;
  #delayS = FIRST_DELAY_S;
  /** @type {ChatError | null} The last refusal. */
  #refusal = null;
  /** @type {unknown} */
  #timer;

  /**
   * @param {Clock} clock
   * @param {Held} held
   */
  constructor(clock, held) {
    this.#clock = clock;
    this.#held = held;
  }

  /** @returns {boolean} Whether messages wait for the store. */
  get isOn() {
    return this.#state !== "none";
  }

  /**
   * @param {string} id
   * @returns {boolean} Whether the message was sent, and has no answer.
   */
  isSent(id) {
    return this.#sent.has(id);
  }

  /** @param {string} id A message that is sent now. */
  sent(id) {
    this.#sent.add(id);
  }

  /** @param {string} id A message that has its receipt, or another refusal than of the store. */
  answered(id) {
    if (!this.#sent.delete(id)) return;
    if (this.#state === "probing") this.#end();
    else this.#waitIfAnswered();
  }

  /**
   * @param {string} id
   * @param {ChatError} error Why the server refuses it.
   * @returns {boolean} Whether the message waits on, for the store alone is at fault.
   */
  refused(id, error) {
    if (error.code !== NOT_STORED) return false;
    if (!this.#sent.delete(id)) return true; // it was not sent yet
    if (this.#state === "none") {
      this.#since = this.#clock.now();
      this.#delayS = FIRST_DELAY_S;
    }
    if (this.#state !== "refused") this.#enter("refused");
    this.#refusal = error;
    this.#waitIfAnswered();
    return true;
  }

  /** The session is over: the next one begins without an outage. */
  forget() {
    this.#sent.clear();
    this.#clock.clearTimeout(this.#timer);
    if (this.isOn) this.#enter("none");
  }

  /** Begin the delay before the next attempt, if nothing that was sent lacks its answer. */
  #waitIfAnswered() {
    if (this.#state !== "refused" || this.#sent.size > 0) return;
    if (this.#clock.now() - this.#since >= 1000 * PATIENCE_S) {
      this.#enter("none");
      this.#held.failAll(/** @type {ChatError} */ (this.#refusal));
      return;
    }
    this.#enter("delayed");
    this.#timer = this.#clock.setTimeout(() => this.#tryAgain(), 1000 * this.#delayS);
    this.#delayS = Math.min(2 * this.#delayS, MAX_DELAY_S);
  }

  #tryAgain() {
    this.#enter("probing");
    this.#held.sendFirst();
    if (this.#sent.size === 0) this.#end(); // none waits any more
  }

  #end() {
    this.#enter("none");
    this.#held.sendAll();
  }

  /** @param {OutageState} state */
  #enter(state) {
    this.#state = advance(OUTAGE_STATES, this.#state, state);
  }
}
