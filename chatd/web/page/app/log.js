/** `Log`: the messages of the current conversation; only a window of them is in the document. */

import { rowOf } from "./message.js";
import { lookAfter, STEP, windowOf } from "./rows.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Item} Item */
/** @typedef {import("./message.js").Acts} Acts */

/** So many pixels before the edge, more rows come. */
const EDGE = 600;
/** So near to the end, the reader is at the end. */
const NEAR = 12;

export class Log {
  /** Whether the reader is at the end, and new messages move the log. */
  isAtEnd = true;
  #element;
  #acts;
  #events;
  /** @type {Conversation | null} */
  #conversation = null;
  /** @type {Item | null} The first item of the window, if the reader is not at the end. */
  #first = null;
  /** @type {Map<Item, {node: HTMLElement, look: string}>} */
  #rows = new Map();
  #end = 0;
  /** Where the log was scrolled to at its end. */
  #top = 0;

  /**
   * @param {HTMLElement} element
   * @param {Acts} acts
   * @param {{draw: () => void, older: (conversation: Conversation) => void}} events `draw` asks for
   *   a frame, `older` for a page of history.
   */
  constructor(element, acts, events) {
    this.#element = element;
    this.#acts = acts;
    this.#events = events;
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.isAtEnd && this.#toBottom()).observe(element);
  }

  /** Show the newest messages. */
  toEnd() {
    this.isAtEnd = true;
    this.#first = null;
    this.#events.draw();
  }

  /** @param {Conversation | null} conversation */
  draw(conversation) {
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#rows.clear();
      this.#element.replaceChildren();
      this.isAtEnd = true;
      this.#first = null;
    }
    if (conversation === null) return;
    const anchor = this.isAtEnd ? null : this.#anchor();
    this.#element.setAttribute("aria-busy", String(!this.isAtEnd));
    this.#place(this.#shown(conversation), conversation.newFrom);
    if (this.isAtEnd) this.#toBottom();
    else if (anchor !== null) {
      const node = this.#rows.get(anchor.item)?.node;
      const bottom = node?.getBoundingClientRect().bottom ?? anchor.bottom;
      this.#element.scrollTop += bottom - anchor.bottom;
    }
    this.#extend(conversation);
    const isShort = this.#element.scrollHeight <= this.#element.clientHeight + EDGE;
    if (isShort && conversation.isRead && !conversation.isWhole) this.#events.older(conversation);
  }

  /**
   * @param {Conversation} conversation
   * @returns {{before: Item | undefined, items: Item[]}}
   */
  #shown({ items, pending }) {
    const length = items.length + pending.length;
    const { start, end } = windowOf(length, this.#firstIn(items));
    this.#end = end;
    const confirmed = items.slice(start, end);
    const waiting = pending.slice(Math.max(0, start - items.length), end - items.length);
    const shown = end > items.length ? [...confirmed, ...waiting] : confirmed;
    return { before: items[start - 1], items: shown };
  }

  /**
   * @param {Item[]} items
   * @returns {number | null}
   */
  #firstIn(items) {
    if (this.isAtEnd || this.#first === null) return null;
    const at = items.indexOf(this.#first);
    return at < 0 ? null : at;
  }

  /**
   * Have these rows in the document, and no others; rows that are there stay.
   *
   * @param {{before: Item | undefined, items: Item[]}} shown
   * @param {Item | null} newFrom The first that is new.
   */
  #place({ before, items }, newFrom) {
    /** @type {Map<Item, {node: HTMLElement, look: string}>} */
    const rows = new Map();
    let previous = before;
    for (const item of items) {
      const look = { ...lookAfter(previous, item), isNew: item === newFrom };
      const name = `${look.isNewDay}${look.isContinued}${look.isNew}`;
      const there = this.#rows.get(item);
      const isSame = there !== undefined && there.look === name;
      rows.set(item, isSame ? there : { node: rowOf(item, look, this.#acts), look: name });
      previous = item;
    }
    for (const [item, { node }] of this.#rows) {
      if (rows.get(item)?.node !== node) node.remove();
    }
    let next = this.#element.firstChild;
    const added = document.createDocumentFragment();
    for (const { node } of rows.values()) {
      if (node === next) next = next.nextSibling;
      else if (next === null) added.append(node);
      else this.#element.insertBefore(node, next);
    }
    this.#element.append(added);
    this.#rows = rows;
  }

  /**
   * @returns {{item: Item, bottom: number} | null} The first row that the reader sees. Its node may
   *   become another, with or without the day above it, but its lower edge stays.
   */
  #anchor() {
    const { top: edge } = this.#element.getBoundingClientRect();
    for (const [item, { node }] of this.#rows) {
      const { bottom } = node.getBoundingClientRect();
      if (bottom > edge) return { item, bottom };
    }
    return null;
  }

  #toBottom() {
    this.#element.scrollTop = this.#element.scrollHeight;
    this.#top = this.#element.scrollTop;
  }

  #scrolled() {
    if (this.#conversation === null) return;
    const { items, pending } = this.#conversation;
    const wasAtEnd = this.isAtEnd;
    // While at the end, messages that no frame has drawn yet do not matter.
    const isWhole = wasAtEnd || this.#end >= items.length + pending.length;
    // Only the reader moves the log up; less room, or more rows, do not.
    const isMovedUp = this.#element.scrollTop < this.#top - 1;
    this.isAtEnd = (this.#below <= NEAR && isWhole) || (wasAtEnd && !isMovedUp);
    if (this.isAtEnd) this.#first = null;
    else this.#first ??= this.#rows.keys().next().value ?? null;
    this.#extend(this.#conversation);
    if (this.isAtEnd !== wasAtEnd) this.#events.draw();
  }

  /** @returns {number} How many pixels are below what the reader sees. */
  get #below() {
    const { scrollTop, scrollHeight, clientHeight } = this.#element;
    return scrollHeight - scrollTop - clientHeight;
  }

  /**
   * Have more rows where the reader comes near the first or the last.
   *
   * @param {Conversation} conversation
   */
  #extend(conversation) {
    if (this.isAtEnd) return;
    const { items, pending, isWhole } = conversation;
    const [first] = this.#rows.keys();
    const at = first === undefined ? 0 : items.indexOf(first);
    const start = at < 0 ? items.length : at;
    const isNearTop = this.#element.scrollTop < EDGE;
    if (isNearTop && start > 0) this.#move(items, start - STEP);
    else if (isNearTop && !isWhole) this.#events.older(conversation);
    else if (this.#below < EDGE && this.#end < items.length + pending.length) {
      this.#move(items, start + STEP);
    }
  }

  /**
   * @param {Item[]} items
   * @param {number} start
   */
  #move(items, start) {
    this.#first = items[Math.min(Math.max(0, start), items.length - 1)] ?? null;
    this.#events.draw();
  }
}
