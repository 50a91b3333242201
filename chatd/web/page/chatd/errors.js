/**
 * The errors of the library.
 *
 * The server's codes are those of the protocol. The codes of `LOCAL_CODES` never go over the wire:
 * they name what this side finds by itself.
 */

/** What each code of this side means; `docs/reference/javascript.md` has the same table. */
export const LOCAL_CODES = Object.freeze({
  "connection-lost": "the connection ended without a reason, or there is none",
  "connect-timeout": "the server did not take the connection in time",
  "key-required": "the server has a key, and the client has none",
  "key-unexpected": "the server has no key, and the client has a key",
  "wrong-key": "the keys of the server and the client differ",
  "bad-key": "the given key is no key",
  "bad-link": "the given link is no link to a chat",
  "bad-address": "the given address is no WebSocket address",
  "bad-argument": "an argument of a call is wrong",
  "insecure-context": "the browser offers no cryptography to this page",
  "no-x25519": "the browser lacks X25519, which a key needs",
  "no-websocket": "the program has no WebSocket, and gave none",
  "too-many-waiting": "too many messages or commands wait for their answers",
  "not-binary": "the server sent text, which the protocol does not have",
});

/**
 * @typedef {object} More
 * @property {boolean} [retry]
 * @property {number | null} [retryAfter]
 * @property {string | null} [ref]
 * @property {unknown} [cause]
 */

/**
 * An error of the library, or one that the server reports.
 *
 * `code` is for programs, `message` for people. `retry` says whether another attempt may succeed,
 * `retryAfter` the seconds to wait before it (null if there is no sense in it). `ref` is the id of
 * the message or command at fault, or null.
 */
export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {More} [more]
   */
  constructor(code, message, { retry = false, retryAfter = null, ref = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ChatError";
    this.code = code;
    this.retry = retry;
    this.retryAfter = retryAfter;
    this.ref = ref;
  }
}

/** A fault in the bytes: nobody knows where the next frame begins, so the session ends. */
export class ByteFault extends ChatError {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{cause?: unknown}} [more]
   */
  constructor(code, message, more = {}) {
    super(code, message, more);
    this.name = "ChatError";
  }
}

/**
 * Note where a program calls the library: what fails later, by an answer of the server, has none of
 * the program's frames in its stack.
 *
 * @returns {(error: unknown) => ChatError} Returns a copy of an error, with the stack of the call:
 *   the end of a session fails several calls.
 */
export function atCaller() {
  const here = new Error();
  return (error) => {
    const { code, message, retry, retryAfter, ref, cause } = asChatError(error);
    const thrown = new ChatError(code, message, { retry, retryAfter, ref, cause });
    const frames = String(here.stack).replace(/^Error\n/, ""); // other engines have no first line
    const stack = `${thrown.name}: ${message}\n${frames}`;
    Object.defineProperty(thrown, "stack", { value: stack, configurable: true, writable: true });
    return thrown;
  };
}

/**
 * Return an error as a ChatError; a failure of the library itself is `internal-error`.
 *
 * @param {unknown} error
 * @returns {ChatError}
 */
export function asChatError(error) {
  if (error instanceof ChatError) return error;
  return new ChatError("internal-error", `the client failed: ${error}`, { cause: error });
}
