/** What a server's ERROR and DISCONNECT say, as errors of the library. */

import { ChatError } from "./errors.js";
import { cutText } from "./json.js";

/** @typedef {import("./json.js").Fields} Fields */

/** Codes of refusals after which the same may succeed later. */
export const TEMPORARY = new Set(["not-stored", "internal-error"]);
const TEMPORARY_S = 5;

/**
 * @param {Fields} header The header of an ERROR.
 * @returns {ChatError}
 */
export function reported(header) {
  const code = cutText(String(header.code));
  const told = cutText(String(header.message ?? "")) || code;
  const ref = /** @type {string | null} */ (header.ref ?? null);
  const retry = TEMPORARY.has(code);
  return new ChatError(code, told, { ref, retry, retryAfter: retry ? TEMPORARY_S : null });
}

/**
 * @param {Fields} header The header of a DISCONNECT.
 * @returns {ChatError}
 */
export function disconnected(header) {
  const code = cutText(String(header.code ?? "goodbye"));
  const reason = cutText(String(header.reason ?? "")) || code;
  return new ChatError(code, reason, { retry: header.retry === true });
}
