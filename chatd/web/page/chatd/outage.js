/**
 * `Outage`: while the server's store fails, a client's messages wait, and few of them are tried.
 *
 * It knows no connection: it hears what was sent and what was answered, and says when to send. The
 * numbers are those of `chatd.client.outage`.
 *
 * An *attempt* sends the first messages that wait: one, and twice as many after each attempt without
 * a refusal. Attempts with a refusal are followed by a delay. The outage is over when an attempt has
 * its answers without a refusal, and none waits any more. If nothing is stored for a minute, the
 * client's patience ends: the refused messages fail, and each of the others is sent a last time.
 */

import { advance, OUTAGE_STATES } from "./states.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./errors.js").ChatError} ChatError */
/** @typedef {import("./pending.js").PendingMessages} PendingMessages */
/** @typedef {import("./pending.js").Unconfirmed} Unconfirmed */
/** @typedef {import("./states.js").OutageState} OutageState */

/** The code of a refusal that begins an outage. */
const NOT_STORED = "not-stored";
/** The delay before the first attempt; each attempt that stores nothing doubles it. */
const FIRST_DELAY_S = 1;
const MAX_DELAY_S = 8;
/** How long an outage may be without a stored message. */
const PATIENCE_S = 60;

export class Outage {
  /** @type {OutageState} */
  #state = "none";
  #clock;
  #pending;
  #send;
  /** @type {Set<string>} The messages that were sent, and whose answers the outage awaits. */
  #sent = new Set();
  /** @type {Set<string>} The messages that were refused in this outage. */
  #refused = new Set();
  /** @type {Set<string>} The messages on their way when the patience ended: no other follows. */
  #last = new Set();
  /** How many messages the next attempt sends. */
  #size = 1;
  #delayS = FIRST_DELAY_S;
  /** @type {ChatError | null} The last refusal. */
  #refusal = null;
  /** @type {unknown} */
  #delay;
  /** @type {unknown} */
  #patience;

  /**
   * @param {Clock} clock
   * @param {PendingMessages} pending
   * @param {(limit?: number) => void} send Sends the first messages that wait.
   */
  constructor(clock, pending, send) {
    this.#clock = clock;
    this.#pending = pending;
    this.#send = send;
  }

  /** @returns {ChatError | null} Why messages wait; null without an outage. */
  get refusal() {
    return this.#state === "none" || this.#state === "releasing" ? null : this.#refusal;
  }

  /** @param {string} id A message that is sent now. */
  sent(id) {
    this.#sent.add(id);
  }

  /**
   * Forget a message: it has its receipt, or another refusal than of the store.
   *
   * @param {string} id
   * @param {boolean} isStored
   * @returns {Unconfirmed | undefined}
   */
  answered(id, isStored) {
    const wasWaiting = this.#pending.isWaiting(id);
    const kept = this.#pending.answered(id);
    this.#sent.delete(id);
    this.#refused.delete(id);
    this.#last.delete(id);
    if (kept === undefined || this.#state === "none") return kept;
    if (isStored) {
      this.#delayS = FIRST_DELAY_S;
      this.#beginPatience();
    }
    if (wasWaiting && this.#pending.waiting === 0) this.#end();
    else if (this.#state === "delayed" && isStored) this.#attempt();
    else this.#goOn();
    return kept;
  }

  /**
   * @param {string} id
   * @param {ChatError} error Why the server refuses it.
   * @returns {boolean} Whether the message waits on, for the store alone is at fault.
   */
  refused(id, error) {
    if (error.code !== NOT_STORED) return false;
    if (this.#pending.isWaiting(id)) return true;
    if (this.#state === "releasing" || this.#last.has(id)) return false;
    this.#sent.delete(id);
    this.#refused.add(id);
    this.#pending.putBack(id);
    this.#refusal = error;
    this.#size = 1;
    if (this.#state === "none") {
      this.#delayS = FIRST_DELAY_S;
      this.#beginPatience();
    }
    if (this.#state === "none" || this.#state === "attempting") this.#enter("refused");
    this.#goOn();
    return true;
  }

  /** The session is over: the next one begins without an outage. */
  forget() {
    this.#sent.clear();
    this.#last.clear();
    if (this.#state !== "none") this.#end();
  }

  /** Do what is next, if nothing that was sent lacks its answer. */
  #goOn() {
    if (this.#state === "releasing") {
      if (this.#last.size === 0) this.#end();
    } else if (this.#sent.size > 0) {
      return;
    } else if (this.#state === "refused") {
      this.#enter("delayed");
      this.#delay = this.#clock.setTimeout(() => this.#attempt(), 1000 * this.#delayS);
    } else if (this.#state === "attempting") {
      this.#size *= 2;
      this.#attempt();
    }
  }

  #attempt() {
    this.#clock.clearTimeout(this.#delay);
    this.#enter("attempting");
    this.#delayS = Math.min(2 * this.#delayS, MAX_DELAY_S);
    this.#send(this.#size);
    if (this.#sent.size === 0) this.#end(); // none waits any more
  }

  #beginPatience() {
    this.#clock.clearTimeout(this.#patience);
    this.#patience = this.#clock.setTimeout(() => this.#endPatience(), 1000 * PATIENCE_S);
  }

  #endPatience() {
    this.#sent.clear();
    if (this.#state === "releasing") {
      this.#end();
      return;
    }
    this.#clock.clearTimeout(this.#delay);
    this.#enter("releasing");
    for (const id of this.#refused) {
      if (this.#pending.isWaiting(id)) {
        this.#pending.fail(id, /** @type {ChatError} */ (this.#refusal));
      } else {
        this.#last.add(id);
      }
    }
    this.#send();
    for (const id of this.#sent) this.#last.add(id);
    this.#beginPatience();
    this.#goOn();
  }

  #end() {
    this.#clock.clearTimeout(this.#delay);
    this.#clock.clearTimeout(this.#patience);
    this.#refused.clear();
    this.#enter("none");
  }

  /** @param {OutageState} state */
  #enter(state) {
    this.#state = advance(OUTAGE_STATES, this.#state, state);
  }
}
