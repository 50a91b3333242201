/** `Conversation`: what is known of a room, or of the direct messages with a person. */

import { fold } from "../chatd/names.js";
import { Roster } from "./roster.js";

/**
 * @typedef {object} Item A message or a notice, as the log shows it.
 * @property {"message" | "notice" | "pending"} kind
 * @property {number | null} seq Null for notices and for what is not confirmed.
 * @property {string} id
 * @property {string} from
 * @property {number} time Unix seconds.
 * @property {string | null} text Null where the content is no text.
 * @property {string} contentType
 * @property {number} size Of the content, in bytes.
 * @property {boolean} own
 * @property {string} refusal Why the server refused it; empty while it waits.
 */

/** @typedef {import("../chatd/progress.js").ChatMessage} ChatMessage */

/** At most so many items and characters are kept; history brings back what is older. */
export const MAX_ITEMS = 3000;
export const MAX_CHARACTERS = 8_388_608;

export class Conversation {
  /** @type {Item[]} In the order of `seq`. */
  items = [];
  /** @type {Item[]} This person's messages without a receipt, in the order of sending. */
  pending = [];
  people = new Roster();
  /** @type {string | null} */
  epoch = null;
  topic = "";
  /** How many times an event told the topic, or whether the room is private. */
  changes = 0;
  draft = "";
  unread = 0;
  /** @type {Item | null} The first message that was unread when the person came here. */
  newFrom = null;
  isPrivate = false;
  /** Whether the session is in the room; always true for direct messages. */
  isJoined = true;
  /** Whether the newest page of history was read. */
  isRead = false;
  /** Whether `items` begins with the first message that the server keeps. */
  isWhole = false;
  /** Whether the server refused a page of history since the person came here. */
  isRefused = false;
  /** How many times the oldest items were dropped. */
  trims = 0;
  /** Whether a page of history is on its way. */
  isReading = false;
  /** When it was opened or got a message last, by the count of `Chat`. */
  usedAt = 0;
  #characters = 0;

  /**
   * @param {"room" | "direct"} kind
   * @param {string} name The room's name, or the person's.
   */
  constructor(kind, name) {
    this.kind = kind;
    this.name = name;
    this.key = keyOf(kind, name);
  }

  /** @returns {{room: string} | {to: string}} Where `send` sends. */
  get place() {
    return this.kind === "room" ? { room: this.name } : { to: this.name };
  }

  /** @returns {number | undefined} The lowest `seq` that is here. */
  get firstSeq() {
    return this.items.find((item) => item.seq !== null)?.seq ?? undefined;
  }

  /** @returns {number} The length of all texts that are here. */
  get characters() {
    return this.#characters;
  }

  /** @returns {boolean} Whether it has what nothing brings back: the person's own unsent words. */
  get hasOwnWords() {
    return this.pending.length > 0 || this.draft !== "";
  }

  /** @returns {number | null} The highest `seq` that is here. */
  get lastSeq() {
    return this.items.findLast((item) => item.seq !== null)?.seq ?? null;
  }

  /**
   * Count others' messages that came after the last that was read, and after one's own.
   *
   * @param {number} seq The last that was read.
   */
  countUnread(seq) {
    const own = this.items.findLast((item) => item.own)?.seq ?? -1;
    const last = Math.max(seq, own);
    this.unread = this.items.filter((item) => (item.seq ?? -1) > last).length;
  }

  /** The person sees all that is here. */
  see() {
    if (this.unread === 0) return;
    const others = this.items.filter((item) => item.kind === "message" && !item.own);
    this.newFrom = others[Math.max(0, others.length - this.unread)] ?? null;
    this.unread = 0;
  }

  /**
   * Note the epoch; under another one, the messages that are here have lost their places.
   *
   * @param {string} epoch
   * @returns {boolean} Whether messages were dropped.
   */
  enter(epoch) {
    this.isJoined = true;
    const isOther = this.epoch !== null && this.epoch !== epoch;
    this.epoch = epoch;
    if (!isOther) return false;
    this.items = [];
    this.#characters = 0;
    this.isRead = false;
    this.isWhole = false;
    return true;
  }

  /**
   * Add a message, unless it is here already.
   *
   * @param {ChatMessage} message
   * @returns {boolean} Whether it is new.
   */
  add(message) {
    const item = itemOf(message);
    const place = this.#placeOf(item);
    if (place === null) return false;
    if (message.own) this.confirmed(message.id);
    if (place === this.items.length) this.items.push(item);
    else this.items.splice(place, 0, item);
    this.#characters += item.text?.length ?? 0;
    return true;
  }

  /**
   * Add a page of history, which is older than what is here.
   *
   * @param {ChatMessage[]} messages
   * @param {boolean} isComplete Whether nothing is older.
   */
  addOlder(messages, isComplete) {
    this.isRead = true;
    this.isWhole = isComplete;
    const first = this.firstSeq ?? Infinity;
    const older = messages.filter((message) => (message.seq ?? Infinity) < first).map(itemOf);
    for (const item of older) this.#characters += item.text?.length ?? 0;
    this.items = [...older, ...this.items];
    for (const message of messages) {
      if ((message.seq ?? -1) >= first) this.add(message);
    }
  }

  /**
   * @param {string} text
   * @param {number} time Unix seconds.
   */
  addNotice(text, time) {
    this.items.push(makeItem({ kind: "notice", text, time }));
    this.#characters += text.length;
  }

  /**
   * Add a message that this person has sent.
   *
   * @param {string} id
   * @param {string} from
   * @param {string} text
   * @param {number} time Unix seconds.
   */
  addPending(id, from, text, time) {
    this.pending.push(makeItem({ kind: "pending", id, from, text, time, own: true }));
  }

  /** @param {string} id A message that has its receipt, or that its writer discards. */
  confirmed(id) {
    const at = this.pending.findIndex((item) => item.id === id);
    if (at >= 0) this.pending.splice(at, 1);
  }

  /**
   * @param {string} id
   * @param {string} refusal Why the message was not taken.
   */
  refused(id, refusal) {
    const at = this.pending.findIndex((item) => item.id === id);
    if (at >= 0) this.pending[at] = { ...this.pending[at], refusal };
  }

  /** Drop the oldest items if there are too many; history brings them back. */
  trim() {
    if (this.items.length <= MAX_ITEMS && this.#characters <= MAX_CHARACTERS) return;
    let count = Math.max(0, this.items.length - (MAX_ITEMS * 2) / 3);
    let dropped = 0;
    for (let index = 0; index < count; index += 1) dropped += this.items[index].text?.length ?? 0;
    while (this.#characters - dropped > MAX_CHARACTERS && count < this.items.length - 1) {
      dropped += this.items[count].text?.length ?? 0;
      count += 1;
    }
    this.items.splice(0, count);
    this.#characters -= dropped;
    this.trims += 1;
    this.isWhole = false;
  }

  /**
   * @param {Item} item
   * @returns {number | null} Where it belongs; null if it is here.
   */
  #placeOf(item) {
    const { seq } = item;
    if (seq === null) return this.items.length;
    let place = this.items.length;
    while (place > 0) {
      const there = this.items[place - 1];
      if (there.seq === seq && there.id === item.id) return null;
      if (there.seq !== null && there.seq < seq) break;
      place -= 1;
    }
    if (place > 0 || this.items.length === 0) return afterNotices(this.items, place, item.time);
    return 0;
  }
}

/**
 * @param {"room" | "direct"} kind
 * @param {string} name
 * @returns {string} The same for all spellings of a name.
 */
export function keyOf(kind, name) {
  return `${kind}:${fold(name)}`;
}

/**
 * @param {Item[]} items
 * @param {number} place
 * @param {number} time
 * @returns {number} The place behind the notices that are older.
 */
function afterNotices(items, place, time) {
  let after = place;
  while (after < items.length && items[after].seq === null && items[after].time <= time) after += 1;
  return after;
}

/**
 * @param {ChatMessage} message
 * @returns {Item}
 */
function itemOf({ id, from, time, seq, text, contentType, content, own }) {
  const size = content.length;
  return makeItem({ kind: "message", id, from: from ?? "", time: time ?? 0, seq, text, contentType, size, own }); // prettier-ignore
}

/**
 * @param {Partial<Item>} fields
 * @returns {Item}
 */
function makeItem(fields) {
  return {
    kind: "message",
    seq: null,
    id: "",
    from: "",
    time: 0,
    text: "",
    contentType: "",
    size: 0,
    own: false,
    refusal: "",
    ...fields,
  };
}
