/**
 * What a client keeps from one connection to the next: its positions in rooms and in direct
 * messages, and the messages that have no receipt. With it, a new connection continues where the
 * old one ended: no message is missed, delivered twice or lost.
 */

import { decodeLeniently } from "./bytes.js";
import { MAX_DIRECT } from "./limits.js";
import { DEFAULT_CONTENT_TYPE } from "./messages.js";
import { fold } from "./names.js";
import { PendingMessages } from "./pending.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * @typedef {object} ChatMessage A message, as the program gets it.
 * @property {string} id
 * @property {string | null} room Null in a direct message.
 * @property {string | null} to The name it is for, in a direct message.
 * @property {string | null} from
 * @property {number | null} seq Its place in the room's or the two names' order.
 * @property {number | null} time When the server took it, in Unix seconds.
 * @property {Bytes} content
 * @property {string} contentType
 * @property {string | null} text The content where it is text, else null.
 * @property {boolean} own Whether it is from this client's name.
 */

/**
 * @typedef {object} MessageHeader The header of a MESSAGE, checked.
 * @property {string} id
 * @property {string | null} [room]
 * @property {string | null} [to]
 * @property {string | null} [from]
 * @property {number | null} [seq]
 * @property {number | null} [time]
 * @property {string | null} [content_type]
 */

/**
 * @typedef {object} Position
 * @property {string} name Of the room, or of the other person.
 * @property {string | null} epoch Of `seq`.
 * @property {number | null} seq Of the last message that the client has; null: it takes any.
 * @property {string | null} id Of that message.
 * @property {boolean} isFilling Whether missing messages are being fetched.
 */

/**
 * @param {string} name
 * @param {string | null} [epoch]
 * @param {number | null} [seq]
 * @param {string | null} [id]
 * @returns {Position}
 */
export function makePosition(name, epoch = null, seq = null, id = null) {
  return { name, epoch, seq, id, isFilling: false };
}

/**
 * @param {import("./messages.js").Message} message A MESSAGE.
 * @param {string} ownName
 * @returns {ChatMessage}
 */
export function chatMessage({ header, content }, ownName) {
  const { id, room, to, from, seq, time, content_type } = /** @type {MessageHeader} */ (
    /** @type {unknown} */ (header)
  );
  const contentType = content_type ?? DEFAULT_CONTENT_TYPE;
  return {
    id,
    room: room ?? null,
    to: to ?? null,
    from: from ?? null,
    seq: seq ?? null,
    time: time ?? null,
    content,
    contentType,
    text: /^text\//i.test(contentType) ? decodeLeniently(content) : null,
    own: fold(from ?? "") === fold(ownName),
  };
}

export class Progress {
  /** @type {Map<string, Position>} By the folded names. */
  rooms = new Map();
  /** @type {Map<string, Position>} Of direct messages, by the folded names of the others. */
  direct = new Map();
  /** The messages that have no receipt. */
  pending = new PendingMessages();
  wasConnected = false;
  /** Whether `direct` has a place for each exchange that was there when the client came. */
  knowsDirect = false;
  #chosen;

  /** @param {readonly string[] | undefined} rooms The rooms to join; or the server chooses. */
  constructor(rooms) {
    this.#chosen = rooms;
    for (const room of rooms ?? []) this.rooms.set(fold(room), makePosition(room));
  }

  /** @returns {string[]} The names of the rooms that the client is in, or wants to be in. */
  get roomNames() {
    return Array.from(this.rooms.values(), (position) => position.name);
  }

  /**
   * @param {number} limit
   * @returns {string[] | undefined} The rooms to ask for in the greeting. Later only `join` can ask
   *   for what was missed.
   */
  firstRooms(limit) {
    if (this.wasConnected) return [];
    return this.#chosen?.slice(0, limit);
  }

  /**
   * Note a received message.
   *
   * @param {ChatMessage} message
   * @returns {{isNews: boolean, gap: Position | null}} Whether it is new and in order; and the
   *   position from which direct messages are missing.
   */
  take(message) {
    const { seq, room } = message;
    if (seq === null) return { isNews: true, gap: null }; // from the server to this session alone
    if (room === null) return this.#takeDirect(message, seq);
    const position = this.rooms.get(fold(room));
    const isNews = position === undefined || position.seq === null || seq > position.seq;
    if (isNews && position !== undefined) moveTo(position, seq, message.id);
    return { isNews, gap: null };
  }

  /**
   * @param {string} room
   * @param {string | null} epoch
   * @param {number | null} seq The place before the first new message.
   * @param {string | null} id Of the message there.
   */
  joined(room, epoch, seq, id) {
    this.rooms.set(fold(room), makePosition(room, epoch, seq, id));
  }

  /**
   * @param {string} room
   * @returns {boolean} Whether the client was in it.
   */
  left(room) {
    return this.rooms.delete(fold(room));
  }

  /**
   * @param {ChatMessage} message
   * @param {number} seq
   * @returns {{isNews: boolean, gap: Position | null}}
   */
  #takeDirect(message, seq) {
    const other = (message.own ? message.to : message.from) ?? "";
    const key = fold(other);
    const position = this.direct.get(key);
    if (position === undefined) {
      if (this.direct.size >= MAX_DIRECT) {
        this.direct.delete(/** @type {string} */ (this.direct.keys().next().value));
      }
      this.direct.set(key, makePosition(other, null, seq, message.id));
      return { isNews: true, gap: null };
    }
    if (seq === (position.seq ?? 0) + 1) {
      moveTo(position, seq, message.id);
      return { isNews: true, gap: null };
    }
    // The fetch brings the message after the missing ones, or finds that a new epoch began.
    return { isNews: false, gap: position.isFilling ? null : position };
  }
}

/**
 * @param {Position} position
 * @param {number} seq
 * @param {string | null} id
 */
export function moveTo(position, seq, id) {
  position.seq = seq;
  position.id = id;
}
