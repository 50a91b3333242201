/** What the page says of an error: what happened, and what to do. */

/** @type {Record<string, string>} */
const SENTENCES = {
  "auth-failed": "Wrong name or password.",
  "auth-in-clear":
    "Others could read a password on this connection: open the page by https://, or use the chat’s key.",
  "auth-required": "This chat has accounts: enter the name and the password of yours.",
  "bad-key": "That is no key: enter the text of the key file.",
  "bad-link": "The link is damaged: ask for it again, and copy all of it.",
  "bad-name":
    "This name is not allowed: a name has 1 to 32 characters, without spaces or invisible characters.",
  "connection-lost": "The connection was lost.",
  "connect-timeout": "The server does not answer: look at your network, and try again.",
  "insecure-context":
    "Browsers give a page the cryptography it needs only over https:// and on localhost: open this page there.",
  "key-required": "This chat has a key: enter it, or open the link that you were sent.",
  "key-unexpected": "This chat has no key: leave the field Key empty.",
  kicked: "An operator ended your session.",
  "name-taken": "Somebody else has this name now: choose another.",
  "no-x25519":
    "This browser is too old for a key: use Chrome 133, Firefox 130, Safari 17, or newer.",
  "not-allowed": "Only operators may do that.",
  "not-invited": "This room is private: ask an operator for an invitation.",
  "not-stored": "The server cannot store messages now.",
  "too-large": "That is longer than this server takes.",
  "too-many-attempts": "Too many passwords were tried from your address.",
  "too-many-rooms": "You are in as many rooms as the server allows: leave one first.",
  "too-many-sessions": "The chat is full.",
  "wrong-key": "The key is wrong: compare it with the key of the server.",
};

/** Where no operator gave a reason, the server says this; its sentence above says the same. */
const SERVER_DEFAULTS = ["", "an operator ended the session"];
/** Separators and control or format characters; a longer rule is the server's. */
const NOT_IN_NAMES = /[\p{Z}\p{C}]/u;

/**
 * Return whether the server can take a name; an empty one asks for a guest's.
 *
 * @param {string} name
 * @returns {boolean}
 */
export function isName(name) {
  return Array.from(name.normalize("NFC")).length <= 32 && !NOT_IN_NAMES.test(name);
}

/**
 * @param {unknown} error
 * @returns {string}
 */
export function sentenceOf(error) {
  const { code = "", message = "", retryAfter = null } = /** @type {any} */ (error) ?? {};
  const known = Object.hasOwn(SENTENCES, code) ? SENTENCES[code] : undefined;
  const reason = code === "kicked" ? reasonFor(message) : "";
  const said = known === undefined ? capitalized(message || code || "Something failed") : known;
  const seconds = Math.ceil(retryAfter);
  const when =
    seconds > 0 ? ` Try again in ${seconds === 1 ? "1 second" : `${seconds} seconds`}.` : "";
  return `${said}${reason}${when}`;
}

/**
 * Say why earlier messages are missing.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function historyRefusal(error) {
  if (/** @type {any} */ (error)?.code !== "not-stored") return sentenceOf(error);
  return "The server cannot read its messages now: come back to this conversation later.";
}

/**
 * Ask whether to leave, if something is not sent.
 *
 * @param {{unsent: number, hasDraft: boolean}} chat
 * @returns {string} Empty if nothing would be lost.
 */
export function leaveQuestion({ unsent, hasDraft }) {
  if (unsent > 0) {
    const what = unsent === 1 ? "1 message is" : `${unsent.toLocaleString()} messages are`;
    return `${what} not sent. Leave anyway?`;
  }
  return hasDraft ? "You have begun a message. Leave anyway?" : "";
}

/**
 * Return the field of the form that an error is about.
 *
 * @param {unknown} error
 * @returns {"key" | "name" | "password" | null}
 */
export function fieldOf(error) {
  const code = String(/** @type {any} */ (error)?.code ?? "");
  if (["key-required", "key-unexpected", "wrong-key", "bad-key"].includes(code)) return "key";
  if (["auth-required", "auth-failed"].includes(code)) return "password";
  if (["bad-name", "name-taken"].includes(code)) return "name";
  return null;
}

/**
 * @param {string} text
 * @returns {string}
 */
function capitalized(text) {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/**
 * @param {string} message
 * @returns {string}
 */
function reasonFor(message) {
  return SERVER_DEFAULTS.includes(message) ? "" : ` The server says: ${message}`;
}
