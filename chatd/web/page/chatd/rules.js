/** Rules for the values of fields: those of a header that arrives, and the options of a call. */

import { MAX_CONTENT_TYPE, MAX_ID } from "./limits.js";

/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {[holds: (value: unknown) => boolean, wanted: string]} Kind A kind of value. */

/**
 * @typedef {object} Rule
 * @property {(value: unknown) => boolean} holds
 * @property {string} wanted What the field must be, for the error.
 * @property {"must" | "may" | "null"} presence "null": it may be missing or null.
 */

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * @param {"must" | "may" | "null"} presence
 * @param {Kind} kind
 * @returns {Rule}
 */
export const rule = (presence, [holds, wanted]) => ({ holds, wanted, presence });

/** @type {(min: number, max: number) => Kind} */
export const text = (min, max) => [
  (value) => typeof value === "string" && isWithin(value, min, max),
  max === Infinity ? "text" : `text of ${min} to ${max} characters`,
];

/** @type {(min: number, max: number) => Kind} */
export const number = (min, max) => [
  (value) => typeof value === "number" && value >= min && value <= max,
  `a number from ${min} to ${max}`,
];

/** @type {(min: number, max: number) => Kind} */
export const integer = (min, max) => [
  (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  `an integer from ${min} to ${max}`,
];

/** @type {Kind} */
export const boolean = [(value) => typeof value === "boolean", "true or false"];

export const anyText = text(0, Infinity);
export const id = text(1, MAX_ID);

/** @type {Kind} */
export const contentType = [
  (value) =>
    typeof value === "string" && isWithin(value, 1, MAX_CONTENT_TYPE) && !CONTROL.test(value),
  `text of 1 to ${MAX_CONTENT_TYPE} characters without control characters`,
];

/**
 * @param {Fields} fields
 * @param {Record<string, Rule>} rules
 * @returns {string | null} What is wrong, such as "id must be text"; null if nothing is.
 */
export function brokenRule(fields, rules) {
  for (const [key, { holds, wanted, presence }] of Object.entries(rules)) {
    const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const mayLack =
      value === undefined ? presence !== "must" : value === null && presence === "null";
    if (!mayLack && !holds(value)) return `${key} must be ${wanted}`;
  }
  return null;
}

/**
 * Count in code points, as the protocol does.
 *
 * @param {string} value
 * @param {number} min
 * @param {number} max
 * @returns {boolean}
 */
function isWithin(value, min, max) {
  if (value.length < min || value.length > 2 * max) return false;
  return value.length <= max || [...value].length <= max;
}
