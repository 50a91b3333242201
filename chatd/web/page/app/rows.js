/** Which rows of a long log are in the document, and how they look. Pure: no DOM. */

/** @typedef {import("./conversation.js").Item} Item */

/** At most so many rows are in the document. */
export const MAX_ROWS = 200;
/** By so many rows the window moves. */
export const STEP = 80;
const GROUP_S = 300;

/**
 * Return which rows to show.
 *
 * @param {number} length How many there are.
 * @param {number | null} first The first row to show; null: the last rows.
 * @returns {{start: number, end: number}}
 */
export function windowOf(length, first) {
  const last = Math.max(0, length - MAX_ROWS);
  const start = first === null ? last : Math.min(Math.max(0, first), last);
  return { start, end: Math.min(length, start + MAX_ROWS) };
}

/**
 * Return the class of a name's colour.
 *
 * @param {string} name
 * @returns {string}
 */
export function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return `hue-${hash % 8}`;
}

/**
 * Return how a row looks after another.
 *
 * @param {Item | undefined} before
 * @param {Item} item
 * @returns {{isNewDay: boolean, isContinued: boolean}} `isContinued`: the same person goes on.
 */
export function lookAfter(before, item) {
  const isNewDay = before === undefined || dayOf(before.time) !== dayOf(item.time);
  const isContinued =
    before !== undefined &&
    !isNewDay &&
    before.kind !== "notice" &&
    item.kind !== "notice" &&
    before.from === item.from &&
    Math.abs(item.time - before.time) < GROUP_S;
  return { isNewDay, isContinued };
}

/**
 * @param {number} time Unix seconds.
 * @returns {string}
 */
function dayOf(time) {
  const date = new Date(1000 * time);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
