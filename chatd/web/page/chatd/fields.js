/** The fields of the headers that a server sends, and their bounds. */

import { ChatError } from "./errors.js";
import { MAX_FOLDED_NAME, MAX_ID, MAX_MAX_CONTENT, MAX_PLACE, MIN_MAX_CONTENT } from "./limits.js";
import {
  anyText,
  boolean,
  brokenRule,
  contentType,
  id,
  integer,
  number,
  rule,
  text,
} from "./rules.js";

/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./rules.js").Rule} Rule */

const lastId = text(0, MAX_ID);
const epoch = text(0, MAX_ID);
const roomName = text(0, MAX_PLACE);
const name = text(0, MAX_FOLDED_NAME);
const seq = integer(0, Number.MAX_SAFE_INTEGER);

export const SESSION_INIT = {
  session_id: rule("must", anyText),
  server: rule("may", anyText),
  heartbeat: rule("may", number(0.01, 86_400)),
  max_content: rule("may", integer(MIN_MAX_CONTENT, MAX_MAX_CONTENT)),
  auth: rule("may", boolean),
};

export const HEARTBEAT = { n: rule("must", integer(-(2 ** 53) + 1, 2 ** 53 - 1)) };

export const MESSAGE = {
  id: rule("must", id),
  room: rule("null", roomName),
  to: rule("null", text(0, MAX_FOLDED_NAME)),
  from: rule("null", name),
  seq: rule("null", seq),
  time: rule("null", number(-Number.MAX_VALUE, Number.MAX_VALUE)),
  content_type: rule("null", contentType),
  ref: rule("null", anyText),
};

export const ERROR = {
  code: rule("must", anyText),
  message: rule("may", anyText),
  ref: rule("null", anyText),
};

export const DISCONNECT = {
  code: rule("may", anyText),
  reason: rule("may", anyText),
  retry: rule("may", boolean),
};

export const RESULT = { id: rule("must", id) };
export const EVENT = { event: rule("must", id) };

export const WELCOME = { name: rule("must", name), room: rule("null", roomName) };

/** A room that the client is in: in the welcome, and in the RESULT of `join`. */
export const JOINED = {
  room: rule("must", roomName),
  epoch: rule("must", epoch),
  seq: rule("must", seq),
  last_id: rule("null", lastId),
  members: rule("null", seq),
  topic: rule("null", text(0, 256)),
  recovered: rule("null", boolean),
};

export const HISTORY = {
  epoch: rule("must", epoch),
  count: rule("must", seq),
  complete: rule("must", boolean),
  recovered: rule("null", boolean),
};

/** A list, of which more may follow after `next`. */
export const LISTED = { next: rule("null", anyText) };

export const CONVERSATION = {
  with: rule("must", name),
  epoch: rule("must", epoch),
  seq: rule("must", seq),
  last_id: rule("null", lastId),
};

export const RENAMED = { name: rule("must", name) };

/** The fields of the events that the protocol knows. */
const EVENT_FIELDS = {
  room: rule("null", roomName),
  name: rule("null", name),
  old_name: rule("null", name),
  topic: rule("null", text(0, 256)),
  private: rule("null", boolean),
  by: rule("null", name),
  reason: rule("null", text(0, 256)),
  text: rule("null", text(0, 256)),
  ref: rule("null", lastId),
};

/** @type {Record<string, readonly (keyof typeof EVENT_FIELDS)[]>} The fields each must have. */
const EVENTS = {
  joined: ["room", "name"],
  left: ["room", "name"],
  invited: ["room", "name"],
  removed: ["room"],
  renamed: ["name", "old_name"],
  "room-changed": ["room", "private", "name"],
  topic: ["room", "topic", "name"],
  absent: ["name", "ref"],
  away: ["name", "text", "ref"],
};

/**
 * Check fields.
 *
 * @param {Fields} fields
 * @param {Record<string, Rule>} rules
 * @throws {ChatError} `bad-request`, with the frame's id.
 */
export function checkFields(fields, rules) {
  const broken = brokenRule(fields, rules);
  if (broken === null) return;
  const ref = typeof fields.id === "string" ? fields.id : null;
  throw new ChatError("bad-request", broken, { ref });
}

/**
 * Check the fields of an event that the protocol knows.
 *
 * @param {Fields} event
 * @throws {ChatError} `bad-request`
 */
export function checkEvent(event) {
  const required = EVENTS[String(event.event)];
  if (!Object.hasOwn(EVENTS, String(event.event)) || required === undefined) return;
  checkFields(event, EVENT_FIELDS);
  for (const key of required) {
    if (event[key] === undefined || event[key] === null) {
      throw new ChatError("bad-request", `the event ${event.event} must have ${key}`);
    }
  }
}
