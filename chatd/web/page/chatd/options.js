/** What a program gives to `connect`, and what it gets at the welcome. */

import { place, takeOptions } from "./arguments.js";
import { asChatError, ChatError } from "./errors.js";
import { checkCrypto } from "./keys.js";
import { MAX_CONTENT, MAX_MAX_CONTENT } from "./limits.js";
import { anyText, boolean, integer, rule } from "./rules.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./connection.js").SocketClass} SocketClass */
/** @typedef {import("./rules.js").Kind} Kind */

/**
 * @typedef {object} Options
 * @property {string} [name] The name to ask for; without it, the server chooses.
 * @property {string | Uint8Array | ArrayBuffer | null} [key] The key file's text or bytes, or the
 *   key's 32 bytes.
 * @property {string} [password] Sent only where the server asks for it, and nobody can listen.
 * @property {string[]} [rooms] The rooms to join; without it, the server chooses.
 * @property {boolean} [reconnect] Whether to come back after a lost session; true if missing.
 * @property {boolean} [persist] Whether to try again even before the first session; false if
 *   missing: then `welcomed` rejects when the first attempt fails.
 * @property {number} [maxContent] This side's limit of a content, in bytes.
 * @property {SocketClass} [WebSocket] The class of the socket.
 * @property {Network | null} [network] Has the event `online` when the network is back.
 * @property {Clock} [clock] Time and chance, for tests.
 */

/**
 * @typedef {object} Welcomed
 * @property {string} name
 * @property {string} server The server's name and version.
 * @property {boolean} encrypted Whether a key or TLS protects the connection.
 * @property {string | null} room The first room, where the client is in any.
 * @property {string[]} rooms
 * @property {number} maxContent The longest content, in bytes.
 */

/** @typedef {Pick<EventTarget, "addEventListener" | "removeEventListener">} Network */

/** @returns {Network | null} The window or the worker; Node has nothing that tells. */
function realNetwork() {
  return typeof globalThis.addEventListener === "function" ? globalThis : null;
}

/** @type {Clock} */
const REAL_CLOCK = {
  setTimeout: (call, ms) => globalThis.setTimeout(call, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  now: () => performance.now(),
  random: () => Math.random(),
};

/** @type {(...names: string[]) => Kind} */
const having = (...names) => [
  (value) => names.every((name) => typeof (/** @type {any} */ (value)?.[name]) === "function"),
  `an object with the functions ${names.join(", ")}`,
];

const [isPlace, wantedPlace] = place;

const RULES = {
  name: rule("may", anyText),
  key: rule("null", [() => true, "a key"]), // `readKey` says more of a wrong one
  password: rule("may", anyText),
  rooms: rule("may", [
    (value) => Array.isArray(value) && value.every(isPlace),
    `a list of rooms, each ${wantedPlace}`,
  ]),
  reconnect: rule("may", boolean),
  persist: rule("may", boolean),
  maxContent: rule("may", integer(1, MAX_MAX_CONTENT)),
  WebSocket: rule("may", [(value) => typeof value === "function", "a class"]),
  network: rule("null", having("addEventListener", "removeEventListener")),
  clock: rule("may", having("setTimeout", "clearTimeout", "now", "random")),
};

/**
 * @typedef {Options & {clock: Clock, network: Network | null, reconnect: boolean, persist: boolean,
 *   maxContent: number, WebSocket: SocketClass}} Given The options, and what holds without them.
 */

/**
 * Take what a program gives to `connect`, which never throws.
 *
 * @param {unknown} options
 * @returns {{given: Given, fault: ChatError | null}} The options, none if any is wrong; and what is
 *   wrong in them, or missing here.
 */
export function takeConnectOptions(options) {
  /** @type {Options} */
  let given = {};
  /** @type {ChatError | null} */
  let fault = null;
  try {
    checkCrypto();
    given = takeOptions("connect", options, RULES);
  } catch (error) {
    fault = asChatError(error);
  }
  const socketClass = given.WebSocket ?? globalThis.WebSocket;
  if (socketClass === undefined) {
    const told = "there is no WebSocket here: give the option WebSocket";
    fault ??= new ChatError("no-websocket", told);
  }
  return { given: withDefaults(given, socketClass), fault };
}

/**
 * @param {Options} given
 * @param {SocketClass} socketClass
 * @returns {Given}
 */
function withDefaults(given, socketClass) {
  return {
    clock: REAL_CLOCK,
    network: realNetwork(),
    reconnect: true,
    persist: false,
    maxContent: MAX_CONTENT,
    ...given,
    WebSocket: socketClass,
  };
}
