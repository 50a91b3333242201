/** The nodes of one row of the log. */

import { button, initial, make } from "./elements.js";
import { hueOf, sizeOf } from "./rows.js";
import { beginning, inLine, MAX_SHOWN, pieces } from "./text.js";

/** @typedef {import("./conversation.js").Item} Item */

/**
 * @typedef {object} Acts What a person can do with a row.
 * @property {(item: Item) => void} resend
 * @property {(item: Item) => void} discard
 * @property {(item: Item) => boolean} calls Whether the message calls this person.
 */

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
});
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" }); // prettier-ignore

/**
 * @param {Item} item
 * @param {{isNewDay: boolean, isContinued: boolean, isNew: boolean}} look
 * @param {Acts} acts
 * @returns {HTMLElement}
 */
export function rowOf(item, { isNewDay, isContinued, isNew }, acts) {
  const row = item.kind === "notice" ? noticeOf(item) : messageOf(item, isContinued, acts);
  if (!isNewDay && !isNew) return row;
  const above = [];
  if (isNewDay) above.push(make("div", { class: "day", text: dayOf(item.time) }));
  if (isNew) above.push(make("div", { class: "day new", text: "New" }));
  return make("div", {}, ...above, row);
}

/**
 * @param {number} time Unix seconds; a server may tell any number.
 * @returns {string}
 */
function dayOf(time) {
  const date = new Date(1000 * time);
  return Number.isNaN(date.getTime()) ? "" : DAY.format(date);
}

/**
 * @param {Item} item
 * @returns {HTMLElement}
 */
function noticeOf(item) {
  return make("div", {
    class: "notice",
    text: inLine(item.text ?? ""),
    attributes: { dir: "auto" },
  });
}

/**
 * @param {Item} item
 * @param {boolean} isContinued
 * @param {Acts} acts
 * @returns {HTMLElement}
 */
function messageOf(item, isContinued, acts) {
  const row = make("div", { class: "row" });
  if (isContinued) row.classList.add("continued");
  if (item.kind === "pending") row.classList.add("pending");
  if (acts.calls(item)) row.classList.add("calls");
  const from = inLine(item.from);
  const date = new Date(1000 * item.time);
  const time = make("time", {
    text: Number.isNaN(date.getTime()) ? "" : TIME.format(date),
    attributes: { datetime: isoOf(date) },
  });
  if (isContinued) {
    row.append(make("span", { class: "unseen" }, make("bdi", { text: from }), " ", time));
  } else {
    const face = make("span", {
      class: `face ${hueOf(item.from)}`,
      text: initial(from),
    });
    face.setAttribute("aria-hidden", "true");
    row.append(
      face,
      make("div", { class: "head" }, make("bdi", { class: "from", text: from }), time),
    );
  }
  row.append(textOf(item), ...stateOf(item, acts));
  if (item.own && item.kind === "message") row.append(tick());
  return row;
}

/**
 * @param {Date} date
 * @returns {string}
 */
function isoOf(date) {
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/**
 * @param {Item} item
 * @returns {HTMLElement}
 */
function textOf(item) {
  const shown = make("div", { class: "text", attributes: { dir: "auto" } });
  if (item.text === null) {
    shown.classList.add("other");
    shown.textContent = `${inLine(item.contentType)}, ${sizeOf(item.size)}: this page shows text only.`;
    return shown;
  }
  const { text } = item;
  if (text.length <= MAX_SHOWN) {
    shown.append(...nodesOf(text));
  } else {
    const rest = button(`Show all ${text.length.toLocaleString()} characters`, () => {
      shown.replaceChildren(...nodesOf(text));
    });
    rest.className = "rest";
    shown.append(...nodesOf(beginning(text)), "…\n", rest);
  }
  return shown;
}

/** @returns {HTMLElement} The sign of a message that has its receipt. */
function tick() {
  const attributes = {
    role: "img",
    "aria-label": "confirmed",
    title: "The server has it",
  };
  return make("span", { class: "state tick", text: "✓", attributes });
}

/**
 * @param {string} text
 * @returns {Node[]}
 */
export function nodesOf(text) {
  return pieces(text).map(({ kind, text, href = "" }) => {
    if (kind === "code") return make("code", { text });
    if (kind === "block") {
      return make("pre", { attributes: { tabindex: "0" } }, make("code", { text }));
    }
    if (kind === "text") return document.createTextNode(text);
    const attributes = {
      href,
      title: href,
      target: "_blank",
      rel: "noopener noreferrer",
    };
    return make("a", { text, attributes });
  });
}

/**
 * @param {Item} item
 * @param {Acts} acts
 * @returns {HTMLElement[]}
 */
function stateOf(item, { resend, discard }) {
  if (item.kind !== "pending") return [];
  if (item.refusal === "") return [make("div", { class: "state", text: "waiting…" })];
  return [
    make(
      "div",
      { class: "refused" },
      make("span", { text: `Not sent. ${item.refusal}` }),
      button("Send again", () => resend(item)),
      button("Discard", () => discard(item)),
    ),
  ];
}
