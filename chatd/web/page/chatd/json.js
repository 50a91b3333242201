/** Headers: one JSON object in UTF-8 (RFC 8259). */

import { decodeText, encodeText } from "./bytes.js";
import { ByteFault, ChatError } from "./errors.js";
import { MAX_DEPTH, MAX_HEADER, MAX_TEXT } from "./limits.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {Record<string, unknown>} Fields */

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
const HALF_A_PAIR = /\p{Surrogate}/u;

/**
 * @param {Bytes} bytes
 * @returns {Fields}
 * @throws {ByteFault} `bad-header`
 */
export function decodeObject(bytes) {
  let decoded;
  try {
    const text = decodeText(bytes);
    // UTF-8 cannot have half a surrogate pair, but an escape can.
    decoded = SURROGATE_ESCAPE.test(text) ? JSON.parse(text, checkPairs) : JSON.parse(text);
  } catch (error) {
    throw badHeader("is not one JSON object in UTF-8", error);
  }
  if (typeof decoded !== "object" || decoded === null || Array.isArray(decoded)) {
    throw badHeader("is not one JSON object in UTF-8");
  }
  return decoded;
}

/**
 * @param {Fields} fields
 * @throws {ByteFault} `bad-header`: they are nested too deep to walk through.
 */
export function checkDepth(fields) {
  /** @type {object[]} */
  let level = [fields];
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    level = level.flatMap((each) => Object.values(each).filter(isNested));
    if (level.length === 0) return;
  }
  throw badHeader(`is nested more than ${MAX_DEPTH} levels deep`);
}

/**
 * @param {Fields} fields Those that are undefined are left out.
 * @returns {Bytes}
 * @throws {ChatError} `bad-argument` or `too-large`
 */
export function encodeObject(fields) {
  let text;
  try {
    text = JSON.stringify(fields, checkPairs);
  } catch (error) {
    if (error instanceof ChatError) throw error;
    throw new ChatError("bad-argument", `the fields cannot be sent: ${error}`, { cause: error });
  }
  const encoded = encodeText(text);
  if (encoded.length > MAX_HEADER) {
    throw new ChatError("too-large", `the fields have ${encoded.length} bytes: too many`);
  }
  return encoded;
}

/**
 * @param {string} text
 * @returns {string} Its first 1,024 characters; it cuts no surrogate pair.
 */
export function cutText(text) {
  if (text.length <= MAX_TEXT) return text;
  return Array.from(text.slice(0, 2 * MAX_TEXT))
    .slice(0, MAX_TEXT)
    .join("");
}

/**
 * Check one field of JSON, as a reviver and as a replacer.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {unknown} The value.
 */
function checkPairs(name, value) {
  checkWhole(name);
  if (typeof value === "string") checkWhole(value);
  return value;
}

/**
 * @param {string} text
 * @throws {ChatError} `bad-argument`: UTF-8 cannot have it.
 */
export function checkWhole(text) {
  if (HALF_A_PAIR.test(text)) {
    throw new ChatError("bad-argument", "a text has half a character (a lone surrogate)");
  }
}

/**
 * @param {unknown} value
 * @returns {boolean}
 */
function isNested(value) {
  return typeof value === "object" && value !== null;
}

/**
 * @param {string} why
 * @param {unknown} [cause]
 * @returns {ByteFault}
 */
function badHeader(why, cause) {
  return new ByteFault("bad-header", `a header ${why}`, { cause });
}
