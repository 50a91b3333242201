/** The arguments of the library's calls: a program without types hears at once which is wrong. */

import { randomId } from "./bytes.js";
import { ChatError } from "./errors.js";
import { cutText } from "./json.js";
import { DEFAULT_PAGE, MAX_ID, MAX_PAGE, MAX_PLACE } from "./limits.js";
import { brokenRule, contentType, id, integer, rule, text } from "./rules.js";

/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./rules.js").Rule} Rule */

/** The name of a room or of a person. */
export const place = text(1, MAX_PLACE);
const seq = integer(0, Number.MAX_SAFE_INTEGER);

/** A server cannot say which message it refuses if the id is wrong: it would be sent for ever. */
const SEND = {
  room: rule("may", place),
  to: rule("may", place),
  id: rule("may", id),
  contentType: rule("may", contentType),
};

const ROOM = { room: rule("must", place) };

const WITH = { with: rule("must", place) };

const WHICH = {
  before: rule("may", seq),
  after: rule("may", seq),
  limit: rule("may", integer(1, MAX_PAGE)),
};

const COMMAND = { command: rule("must", text(1, MAX_ID)) };
/** Fields that a COMMAND has already. */
const OWN_FIELDS = ["id", "command"];

/**
 * Check the options of a call, each by its rule; one that is undefined is missing.
 *
 * @param {string} call The name of the call, for the error.
 * @param {unknown} options
 * @param {Record<string, Rule>} rules
 * @returns {any} A copy of the options.
 * @throws {ChatError} `bad-argument`
 */
export function takeOptions(call, options, rules) {
  const known = Object.keys(rules).join(", ");
  const given = takeObject(options, `the options of ${call} must be an object: ${known}`);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw badArgument(`${call} has no option ${cutText(name)}, only ${known}`);
    }
    if (value === undefined) delete given[name];
  }
  const broken = brokenRule(given, rules);
  if (broken !== null) throw badArgument(`${call}: ${broken}`);
  return given;
}

/**
 * @param {unknown} options Those of `send`.
 * @returns {Fields & {id: string}} The header of the message.
 * @throws {ChatError} `bad-argument`
 */
export function takeHeader(options) {
  const { id = randomId(), room, to, contentType } = takeOptions("send", options, SEND);
  return { id, room, to, content_type: contentType };
}

/**
 * @param {string} call The name of a call that takes a room alone.
 * @param {unknown} room
 * @param {unknown[]} more What was given besides.
 * @throws {ChatError} `bad-argument`
 */
export function checkRoom(call, room, more) {
  takeOptions(call, { room }, ROOM);
  if (more.some((each) => each !== undefined)) throw badArgument(`${call} takes a room alone`);
}

/**
 * @param {unknown} place A room's name, or another's name as `{ with: NAME }`.
 * @param {unknown} which The options of `history`.
 * @returns {Fields} The fields of the command.
 * @throws {ChatError} `bad-argument`
 */
export function takeHistory(place, which) {
  const told = "history: the place must be the name of a room, or { with: NAME }";
  const where =
    typeof place === "string"
      ? takeOptions("history", { room: place }, ROOM)
      : takeOptions("history", takeObject(place, told), WITH);
  return { ...where, limit: DEFAULT_PAGE, ...takeOptions("history", which, WHICH) };
}

/**
 * @param {unknown} command
 * @param {unknown} fields
 * @returns {Fields} A copy of the fields.
 * @throws {ChatError} `bad-argument`
 */
export function takeCommand(command, fields) {
  takeOptions("command", { command }, COMMAND);
  const given = takeObject(fields, `the fields of ${command} must be an object`);
  for (const name of OWN_FIELDS) {
    if (Object.hasOwn(given, name)) {
      throw badArgument(`the fields of ${command} cannot have ${name}: the library gives it`);
    }
  }
  return given;
}

/**
 * Copy an object. A list, a Map or a Date is refused: its items are no fields.
 *
 * @param {unknown} given
 * @param {string} told What the error says.
 * @returns {Fields}
 * @throws {ChatError} `bad-argument`
 */
function takeObject(given, told) {
  if (Object.prototype.toString.call(given) !== "[object Object]") throw badArgument(told);
  const fields = /** @type {Fields} */ (given);
  /** @type {Fields} */
  const copy = {};
  for (const name in fields) copy[name] = fields[name]; // also what it inherits, such as defaults
  return copy;
}

/**
 * @param {string} told
 * @returns {ChatError}
 */
function badArgument(told) {
  return new ChatError("bad-argument", told);
}
