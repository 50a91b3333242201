/**
 * What others say, taken apart for display: links, code and plain text. It never becomes HTML: each
 * piece goes into a node as its text.
 */

/** @typedef {{kind: "text" | "code" | "block" | "link", text: string, href?: string}} Piece */

/** Longer texts show their beginning, and the rest only on request. */
export const MAX_SHOWN = 4000;

const LINK = /\bhttps?:\/\/[^\s<>"'`\\^{|}]+/gi;
const CODE = /```(?:[a-z0-9+#-]*\n)?([^]*?)```|`([^`\n]+)`/gi;
// C0 except tab and line feed, DEL, and C1.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// Embeddings, overrides and isolates: they could show a link or a name backwards.
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;
const CLOSING = ".,;:!?…";

/**
 * Return a text without characters that act on what is around them.
 *
 * @param {string} text
 * @returns {string} Control characters are shown as their pictures, changes of direction as U+FFFD.
 */
export function harmless(text) {
  return text.replace(/\r\n?/g, "\n").replace(CONTROLS, picture).replace(DIRECTIONS, "\ufffd");
}

/**
 * Return a name or a topic in one line.
 *
 * @param {string} text
 * @returns {string}
 */
export function inLine(text) {
  return harmless(text).replace(/[\n\t\u2028\u2029]+/g, " ");
}

/**
 * Take a text apart.
 *
 * @param {string} text
 * @returns {Piece[]}
 */
export function pieces(text) {
  /** @type {Piece[]} */
  const found = [];
  const shown = harmless(text);
  let end = 0;
  for (const match of shown.matchAll(CODE)) {
    const [whole, block, code] = match;
    if (block === "") continue;
    found.push(...links(shown.slice(end, match.index)));
    if (block === undefined) found.push({ kind: "code", text: code });
    else found.push({ kind: "block", text: block.replace(/\n$/, "") });
    end = match.index + whole.length;
    if (block !== undefined && shown[end] === "\n") end += 1; // the block ends the line
  }
  found.push(...links(shown.slice(end)));
  return found;
}

/**
 * Cut a long text, not between the two halves of a character.
 *
 * @param {string} text
 * @param {number} [most]
 * @returns {string}
 */
export function beginning(text, most = MAX_SHOWN) {
  if (text.length <= most) return text;
  const cut = text.slice(0, most);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/**
 * @param {string} text
 * @returns {Piece[]}
 */
function links(text) {
  /** @type {Piece[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = withoutClosing(match[0]);
    const href = hrefOf(link);
    if (href === null) continue;
    if (match.index > end) found.push({ kind: "text", text: text.slice(end, match.index) });
    found.push({ kind: "link", text: link, href });
    end = match.index + link.length;
  }
  if (end < text.length) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

/**
 * @param {string} link
 * @returns {string} The link without the punctuation and brackets of the sentence around it.
 */
function withoutClosing(link) {
  // A bracket that closes what the link does not open belongs to the sentence.
  const excess = { ")": -countOf(link, "("), "]": -countOf(link, "[") };
  excess[")"] += countOf(link, ")");
  excess["]"] += countOf(link, "]");
  let end = link.length;
  for (; end > 0; end -= 1) {
    const last = link[end - 1];
    if (last === ")" || last === "]") {
      if (excess[last] <= 0) break;
      excess[last] -= 1;
    } else if (!CLOSING.includes(last)) break;
  }
  return link.slice(0, end);
}

/**
 * @param {string} text
 * @param {string} character
 * @returns {number}
 */
function countOf(text, character) {
  return text.split(character).length - 1;
}

/**
 * @param {string} link
 * @returns {string | null}
 */
function hrefOf(link) {
  try {
    const url = new URL(link);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} character
 * @returns {string}
 */
function picture(character) {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}
