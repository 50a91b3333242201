/** `Roster`: who is in a room, and who of them is away. Pure: no DOM. */

import { fold } from "../chatd/names.js";

/** At most so many people and changes are kept: a server may tell any number. */
export const MAX_PEOPLE = 100_000;

/**
 * @typedef {object} People
 * @property {Map<string, string>} names By the folded names.
 * @property {Map<string, string>} away The texts of those who are away, by their folded names.
 */

/** @typedef {{came?: string, went?: string}} Change With both, somebody has taken another name. */

/** @typedef {People & {changes: Change[]}} Reading A list on its way, and what changed meanwhile. */

export class Roster {
  /** @type {People} */
  #people = { names: new Map(), away: new Map() };
  /** @type {Reading | null} */
  #reading = null;

  /** @returns {ReadonlyMap<string, string>} The names, by the folded names. */
  get names() {
    return this.#people.names;
  }

  /** @returns {ReadonlyMap<string, string>} The texts of those who are away, likewise. */
  get away() {
    return this.#people.away;
  }

  /** @param {string} name */
  came(name) {
    this.#change({ came: name });
  }

  /** @param {string} name */
  went(name) {
    this.#change({ went: name });
  }

  /**
   * @param {string} oldName
   * @param {string} name
   * @returns {boolean} Whether the person was here.
   */
  renamed(oldName, name) {
    return this.#change({ went: oldName, came: name });
  }

  /** Nobody is here, and no list is on its way. */
  clear() {
    this.#people = { names: new Map(), away: new Map() };
    this.#reading = null;
  }

  /**
   * Begin to read the list from the server; an earlier reading counts no more.
   *
   * @returns {Reading} For `addPage` and `finish`.
   */
  read() {
    this.#reading = { names: new Map(), away: new Map(), changes: [] };
    return this.#reading;
  }

  /**
   * @param {Reading} reading
   * @returns {boolean} Whether no other reading has begun, and the list is still wanted.
   */
  awaits(reading) {
    return reading === this.#reading;
  }

  /**
   * Show a list that is whole, with what has changed since its reading began.
   *
   * @param {Reading} reading
   */
  finish(reading) {
    if (!this.awaits(reading)) return;
    this.#reading = null;
    this.#people = reading;
    for (const change of reading.changes.splice(0)) apply(reading, change);
  }

  /**
   * @param {Change} change
   * @returns {boolean}
   */
  #change(change) {
    const changes = this.#reading?.changes;
    if (changes !== undefined && changes.length < MAX_PEOPLE) changes.push(change);
    return apply(this.#people, change);
  }
}

/**
 * Add a page of the server's list.
 *
 * @param {Reading} reading
 * @param {unknown[]} names
 * @param {unknown} away An object: the texts by names.
 */
export function addPage(reading, names, away) {
  for (const name of names) apply(reading, { came: String(name) });
  for (const [name, text] of Object.entries(Object(away))) {
    if (reading.names.has(fold(name))) reading.away.set(fold(name), String(text));
  }
}

/**
 * @param {People} people
 * @param {Change} change
 * @returns {boolean} Whether the list is another now.
 */
function apply({ names, away }, { came, went }) {
  const text = went === undefined ? undefined : away.get(fold(went));
  if (went !== undefined) {
    away.delete(fold(went));
    if (!names.delete(fold(went))) return false;
  }
  if (came === undefined) return true;
  const key = fold(came);
  if (names.size >= MAX_PEOPLE && !names.has(key)) return false;
  names.set(key, came);
  if (text !== undefined) away.set(key, text);
  return true;
}
