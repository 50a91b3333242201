/** Messages: the types, and their headers on the way to bytes and back. */

import { openEnvelope } from "./envelope.js";
import { ByteFault, ChatError } from "./errors.js";
import * as fields from "./fields.js";
import { checkDepth, decodeObject } from "./json.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {{type: number, header: Fields, content: Bytes}} Message */

export const Type = Object.freeze({
  SESSION_INIT: 1,
  SESSION_ACK: 2,
  HEARTBEAT: 3,
  MESSAGE: 4,
  ERROR: 5,
  DISCONNECT: 6,
  COMMAND: 8,
  RESULT: 9,
  EVENT: 10,
});

export const DEFAULT_CONTENT_TYPE = "text/plain; charset=utf-8";
/** The content type of a kept message whose content is over the present limit. */
export const TOO_LARGE_TYPE = "application/x-chatd-too-large";

/** @type {[number, Record<string, import("./rules.js").Rule>][]} */
const RULES_OF_TYPES = [
  [Type.SESSION_INIT, fields.SESSION_INIT],
  [Type.HEARTBEAT, fields.HEARTBEAT],
  [Type.MESSAGE, fields.MESSAGE],
  [Type.ERROR, fields.ERROR],
  [Type.DISCONNECT, fields.DISCONNECT],
  [Type.RESULT, fields.RESULT],
  [Type.EVENT, fields.EVENT],
];
const RULES = new Map(RULES_OF_TYPES);
/** @type {ReadonlySet<number>} */
const OPEN_TYPES = new Set([Type.COMMAND, Type.RESULT, Type.EVENT]);

/**
 * Open an envelope.
 *
 * @param {CryptoKey} key The MAC key.
 * @param {Bytes} envelope
 * @param {number} maxContent
 * @returns {Promise<Message | ChatError>} The message; a ByteFault for faulty bytes, or another
 *   ChatError for a faulty field, after which the session goes on.
 */
export async function openMessage(key, envelope, maxContent) {
  try {
    const { type, header, content } = await openEnvelope(key, envelope, maxContent);
    return { type, header: decodeHeader(type, header), content };
  } catch (error) {
    if (error instanceof ChatError) return error;
    throw error;
  }
}

/**
 * @param {number} type
 * @param {Bytes} bytes
 * @returns {Fields}
 * @throws {ChatError}
 */
export function decodeHeader(type, bytes) {
  const header = decodeObject(bytes);
  if (OPEN_TYPES.has(type)) checkDepth(header);
  const rules = RULES.get(type);
  if (rules === undefined) return header;
  try {
    fields.checkFields(header, rules);
  } catch (error) {
    if (type !== Type.ERROR || error instanceof ByteFault) throw error;
    return { code: "", message: "an ERROR with a bad header" }; // never answered with an ERROR
  }
  return header;
}
