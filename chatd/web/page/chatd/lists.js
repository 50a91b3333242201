/**
 * Lists that a server sends in pages. Two rules keep a lying server from deciding how much memory
 * and time this side takes: a list has a limit, and each page begins after the page before it.
 */

import { takeCommand } from "./arguments.js";
import { ChatError } from "./errors.js";
import { checkFields, LISTED } from "./fields.js";
import { MAX_LISTED } from "./limits.js";

/** @typedef {import("./json.js").Fields} Fields */

/**
 * Read a list page by page; each page is read when the program asks for it.
 *
 * @param {(command: string, fields: Fields) => Promise<Fields>} ask Gives a command.
 * @param {string} command
 * @param {Fields} fields
 * @returns {AsyncGenerator<Fields, void, undefined>} The fields of each RESULT. It fails with
 *   `bad-request` if the list is too long, or does not advance.
 */
export async function* readPages(ask, command, fields) {
  const given = takeCommand(command, fields);
  let { after } = given;
  let count = 0;
  for (;;) {
    const page = await ask(command, { ...given, after });
    count += Math.max(1, longestOf(page)); // a page without items is bounded too
    if (count > MAX_LISTED) throw new ChatError("bad-request", "the server's list is too long");
    checkFields(page, LISTED);
    const next = /** @type {string | null} */ (page.next ?? null);
    if (next !== null && !isAfter(next, String(after ?? ""))) {
      throw new ChatError("bad-request", "the server's list does not advance");
    }
    yield page;
    if (next === null) return;
    after = next;
  }
}

/**
 * @param {Fields} page
 * @returns {number} The length of its longest array.
 */
function longestOf(page) {
  const lengths = Object.values(page).map((each) => (Array.isArray(each) ? each.length : 0));
  return Math.max(0, ...lengths);
}

/**
 * Compare by code points, as the server sorts: JavaScript's `>` compares halves of surrogate pairs.
 *
 * @param {string} text
 * @param {string} other
 * @returns {boolean} Whether the text comes after the other.
 */
function isAfter(text, other) {
  const points = Array.from(text);
  const others = Array.from(other);
  const at = points.findIndex((point, index) => point !== others[index]);
  if (at < 0 || at >= others.length) return at >= 0;
  return Number(points[at].codePointAt(0)) > Number(others[at].codePointAt(0));
}
