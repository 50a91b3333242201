/** What a program gives to `connect`, and what it gets at the welcome. */

import { ChatError } from "./errors.js";

/** @typedef {import("./connection.js").Clock} Clock */
/** @typedef {import("./connection.js").SocketClass} SocketClass */

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
export function realNetwork() {
  return typeof globalThis.addEventListener === "function" ? globalThis : null;
}

/** @type {Clock} */
export const REAL_CLOCK = {
  setTimeout: (call, ms) => globalThis.setTimeout(call, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  now: () => performance.now(),
  random: () => Math.random(),
};

/**
 * Check the types of what a program without types may get wrong.
 *
 * @param {Options} options
 * @throws {ChatError} `bad-argument`
 */
export function checkOptions({ name, password, rooms, maxContent }) {
  for (const [what, text] of Object.entries({ name, password })) {
    if (text !== undefined && typeof text !== "string") throw wrong(what, "text");
  }
  if (rooms !== undefined && !isTexts(rooms)) throw wrong("rooms", "a list of texts");
  if (maxContent !== undefined && !(Number.isInteger(maxContent) && maxContent > 0)) {
    throw wrong("maxContent", "a number of bytes");
  }
}

/**
 * @param {unknown} value
 * @returns {value is string[]}
 */
export function isTexts(value) {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

/**
 * @param {string} what
 * @param {string} wanted
 * @returns {ChatError}
 */
function wrong(what, wanted) {
  return new ChatError("bad-argument", `the option ${what} must be ${wanted}`);
}
