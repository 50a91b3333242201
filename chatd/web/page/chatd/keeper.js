/** `Keeper`: keeps a client connected, with backoff and jitter. */

import { Connection } from "./connection.js";
import { ChatError } from "./errors.js";
import { publicAddress } from "./links.js";
import { advance, CLIENT_STATES } from "./states.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./connection.js").SocketClass} SocketClass */
/** @typedef {import("./keys.js").Keys} Keys */
/** @typedef {import("./options.js").Network} Network */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").SessionEvent} SessionEvent */
/** @typedef {import("./states.js").ClientState} ClientState */

/**
 * @typedef {object} KeptClient What a keeper needs of its client.
 * @property {() => Session} makeSession
 * @property {(event: SessionEvent, connection: Connection) => void} received
 * @property {(error: ChatError) => void} lost A connection has ended.
 * @property {(state: ClientState, error: ChatError | null) => void} stateChanged
 */

/**
 * @typedef {object} KeeperOptions
 * @property {string} url
 * @property {SocketClass} socketClass
 * @property {Clock} clock
 * @property {Network | null} network
 * @property {boolean} reconnects Whether it comes back after a session.
 * @property {boolean} persists Whether it comes back even if there was no session yet.
 */

const FIRST_DELAY_S = 0.5;
const MAX_DELAY_S = 30;
/** Length of a session after which the backoff starts from the beginning. */
const STEADY_S = 10;
/** Faults that damage on the way can cause: another connection may be free of it. */
const DAMAGED = new Set(["bad-crc", "bad-record"]);

/**
 * @param {number} failures How many attempts have failed, from 1 on.
 * @param {number} random From 0 to 1.
 * @returns {number} Seconds to wait.
 */
export function backoff(failures, random) {
  return Math.min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (failures - 1)) * (0.5 + random);
}

export class Keeper {
  /** @type {ClientState} */
  state = "connecting";
  /** @type {Connection | null} The latest connection. */
  connection = null;
  #options;
  #client;
  /** @type {Keys | null} */
  #keys = null;
  #failures = 0;
  #wasOpen = false;
  #openedAt = 0;
  #lastCode = "";
  /** @type {unknown} */
  #timer;
  /** Without a network, each attempt had to fail: these failures say nothing of the server. */
  #cameOnline = () => {
    this.#failures = 0;
    this.retryNow();
  };

  /**
   * @param {KeeperOptions} options
   * @param {KeptClient} client
   */
  constructor(options, client) {
    this.#options = options;
    this.#client = client;
  }

  /** @param {Keys} keys */
  begin(keys) {
    this.#keys = keys;
    this.#connect();
  }

  /** @returns {Connection | null} The connection, if messages flow. */
  get flowing() {
    return this.state === "open" ? this.connection : null;
  }

  /** @throws {ChatError} It has ended. */
  checkGoing() {
    if (this.state !== "ended") return;
    throw new ChatError("connection-lost", "the client has ended");
  }

  /** @throws {ChatError} There is no session now. */
  checkOpen() {
    this.checkGoing();
    if (this.state !== "open") {
      throw new ChatError("connection-lost", "there is no session now", { retry: true });
    }
  }

  /** The session of the connection is resumed: messages flow. */
  opened() {
    this.#wasOpen = true;
    this.#openedAt = this.#options.clock.now();
    this.#enter("open", null);
  }

  /** Connect now, if it waits to connect again. */
  retryNow() {
    if (this.state !== "waiting") return;
    this.#stopWaiting();
    this.#enter("connecting", null);
    this.#connect();
  }

  /**
   * End: connect no more.
   *
   * @param {ChatError} error
   */
  end(error) {
    if (this.state === "ended") return;
    this.#stopWaiting();
    this.#enter("ended", error);
  }

  #connect() {
    if (this.state !== "connecting") return; // whoever heard of this state may have ended the client
    const { url, socketClass, clock } = this.#options;
    const keys = /** @type {Keys} */ (this.#keys);
    try {
      /** @type {Connection} */
      const connection = new Connection(
        url,
        socketClass,
        keys,
        this.#client.makeSession(),
        {
          received: (event) => this.#client.received(event, connection),
          ended: (error) => this.#ended(error),
        },
        clock,
      );
      this.connection = connection;
    } catch (error) {
      this.#ended(error instanceof ChatError ? error : refusedAddress(url, error));
    }
  }

  /** @param {ChatError} error */
  #ended(error) {
    this.#client.lost(error);
    if (this.state === "ended") return;
    if (!this.#comesBack(error)) {
      this.end(error);
      return;
    }
    this.#lastCode = error.code;
    this.#wait(/** @type {number} */ (error.retryAfter));
    this.#enter("waiting", error); // last: what hears of it may end the client
  }

  /** @param {number} seconds How long to wait, unless the network comes back before. */
  #wait(seconds) {
    const { clock, network } = this.#options;
    this.#timer = clock.setTimeout(() => this.retryNow(), 1000 * seconds);
    network?.addEventListener("online", this.#cameOnline);
  }

  #stopWaiting() {
    const { clock, network } = this.#options;
    clock.clearTimeout(this.#timer);
    network?.removeEventListener("online", this.#cameOnline);
  }

  /**
   * Decide whether to come back, and after how long; the error says so too.
   *
   * @param {ChatError} error
   * @returns {boolean}
   */
  #comesBack(error) {
    const { clock, persists, reconnects } = this.#options;
    if (this.state === "open" && clock.now() - this.#openedAt >= 1000 * STEADY_S) {
      this.#failures = 0;
      this.#lastCode = "";
    }
    this.#failures += 1;
    // An attempt may find the name held by an old session; an open session has really lost it.
    const isOldSession =
      error.code === "name-taken" && this.state !== "open" && (this.#wasOpen || persists);
    const isDamage = DAMAGED.has(error.code) && error.code !== this.#lastCode;
    error.retry ||= isOldSession || isDamage;
    error.retryAfter = error.retry ? backoff(this.#failures, clock.random()) : null;
    return error.retry && reconnects && (this.#wasOpen || persists);
  }

  /**
   * @param {ClientState} state
   * @param {ChatError | null} error
   */
  #enter(state, error) {
    this.state = advance(CLIENT_STATES, this.state, state);
    this.#client.stateChanged(state, error);
  }
}

/**
 * @param {string} url
 * @param {unknown} error What the socket's class threw. It is no cause: it may have all of the URL.
 * @returns {ChatError}
 */
function refusedAddress(url, error) {
  const address = publicAddress(url);
  const why = String(error instanceof Error ? error.message : error).replaceAll(url, address);
  return new ChatError("bad-address", `${address} is no address of a chat: ${why}`);
}
