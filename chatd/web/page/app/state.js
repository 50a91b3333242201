/** `Chat`: all conversations, and which of them the person sees. */

import { Conversation, keyOf } from "./conversation.js";
import { inLine } from "./text.js";

/** @typedef {import("../chatd/progress.js").ChatMessage} ChatMessage */

/**
 * At most so many conversations with other people are kept, and so many characters in them. The
 * server has the messages of those that go: a person who opens them again reads them there.
 */
export const MAX_DIRECT = 200;
export const MAX_DIRECT_CHARACTERS = 33_554_432;

export class Chat {
  /** @type {Map<string, Conversation>} By their keys. */
  conversations = new Map();
  /** @type {Conversation | null} The conversation that is shown. */
  current = null;
  /** This person's name. */
  name = "";
  #uses = 0;
  /** @type {unknown} Why the session is over, if it is not the person who ended it. */
  endedBy = undefined;

  /** @returns {string} What to do where there is nothing to read. */
  get hint() {
    if (this.current === null) return "You are in no room.";
    const { items, pending, isWhole } = this.current;
    const isEmpty =
      isWhole && pending.length === 0 && !items.some((each) => each.kind === "message");
    return isEmpty ? "Nobody has written here yet: write the first message." : "";
  }

  /** @returns {string} Why the person can write nothing now; empty if they can. */
  get closed() {
    if (this.endedBy !== undefined) return "The session has ended.";
    if (this.current === null) return "Join a room to write.";
    return this.current.isJoined ? "" : "You are not in this room.";
  }

  /** @returns {Conversation[]} In the order in which they came. */
  get rooms() {
    return [...this.conversations.values()].filter((each) => each.kind === "room");
  }

  /** @returns {Conversation[]} */
  get direct() {
    return [...this.conversations.values()].filter((each) => each.kind === "direct");
  }

  /** @returns {number} */
  get unread() {
    let unread = 0;
    for (const each of this.conversations.values()) unread += each.unread;
    return unread;
  }

  /** @returns {number} How many of this person's messages have no receipt. */
  get unsent() {
    let unsent = 0;
    for (const each of this.conversations.values()) unsent += each.pending.length;
    return unsent;
  }

  /** @returns {boolean} Whether this person has begun a message. */
  get hasDraft() {
    return [...this.conversations.values()].some((each) => each.draft.trim() !== "");
  }

  /** @returns {string} The title of the window. */
  get title() {
    const place = this.current === null ? "" : `${inLine(this.current.name)} · `;
    return `${this.unread > 0 ? `(${this.unread}) ` : ""}${place}chatd`;
  }

  /**
   * @param {"room" | "direct"} kind
   * @param {string} name
   * @returns {Conversation | undefined}
   */
  find(kind, name) {
    return this.conversations.get(keyOf(kind, name));
  }

  /**
   * Return a conversation, new if it is not there.
   *
   * @param {"room" | "direct"} kind
   * @param {string} name
   * @returns {Conversation}
   */
  open(kind, name) {
    const there = this.find(kind, name);
    const conversation = there ?? new Conversation(kind, name);
    this.#uses += 1;
    conversation.usedAt = this.#uses;
    this.conversations.set(conversation.key, conversation);
    if (there === undefined && kind === "direct") this.#dropDirect(conversation);
    return conversation;
  }

  /**
   * Bring what the person wrote, and did not send, from an ended session.
   *
   * @param {Chat} ended
   */
  takeUnsent(ended) {
    for (const { kind, name, draft, pending } of ended.conversations.values()) {
      if (draft.trim() === "" && pending.length === 0) continue;
      const conversation = this.open(kind, name);
      if (conversation.draft.trim() === "") conversation.draft = draft;
      conversation.pending.unshift(...pending);
      if (conversation.epoch === null) conversation.isJoined = kind === "direct";
    }
    const { current } = ended;
    if (current !== null) this.current = this.find(current.kind, current.name) ?? this.current;
  }

  /** @param {Conversation} conversation */
  close(conversation) {
    this.conversations.delete(conversation.key);
    if (this.current === conversation) this.current = this.rooms[0] ?? this.direct[0] ?? null;
  }

  /**
   * Take a message.
   *
   * @param {ChatMessage} message
   * @param {boolean} isSeen Whether the person sees the end of the current conversation now.
   * @returns {Conversation | null} The conversation that it is new in.
   */
  take(message, isSeen) {
    const conversation = this.#placeOf(message);
    if (conversation === null || !conversation.add(message)) return null;
    if (conversation.kind === "direct" && !message.own && message.from !== null) {
      conversation.name = message.from; // `conversations` tells folded names only
    }
    if (!message.own && !(isSeen && conversation === this.current)) conversation.unread += 1;
    if (conversation.kind === "direct") this.#dropDirect(conversation);
    return conversation;
  }

  /**
   * Move to the next conversation, or the one before, around the end.
   *
   * @param {1 | -1} step
   * @returns {Conversation | null}
   */
  neighbour(step) {
    const all = [...this.rooms, ...this.direct];
    if (all.length === 0) return null;
    const at = this.current === null ? -1 : all.indexOf(this.current);
    return all[(at + step + all.length) % all.length];
  }

  /**
   * Return whether a message calls this person: it is direct, or it has the name in it.
   *
   * @param {ChatMessage} message
   * @returns {boolean}
   */
  calls(message) {
    if (message.own) return false;
    if (message.room === null) return message.to !== null;
    return message.text !== null && mentions(message.text, this.name);
  }

  /**
   * @param {import("./conversation.js").Item} item Of the current conversation.
   * @returns {boolean} Whether it is somebody else's and has this person's name in it, in a room.
   */
  isCalledBy({ kind, own, text }) {
    const isOthers = this.current?.kind === "room" && kind === "message" && !own;
    return isOthers && mentions(text ?? "", this.name);
  }

  /**
   * Drop direct conversations if there are too many: those without unread messages first, and of
   * them the longest unused.
   *
   * @param {Conversation} kept
   */
  #dropDirect(kept) {
    const { direct } = this;
    let count = direct.length;
    let characters = 0;
    for (const each of direct) characters += each.characters;
    if (count <= MAX_DIRECT && characters <= MAX_DIRECT_CHARACTERS) return;
    const droppable = direct
      .filter((each) => each !== kept && each !== this.current && !each.hasOwnWords)
      .sort((one, other) => {
        return Number(one.unread > 0) - Number(other.unread > 0) || one.usedAt - other.usedAt;
      });
    for (const each of droppable) {
      if (count <= MAX_DIRECT && characters <= MAX_DIRECT_CHARACTERS) return;
      this.close(each);
      count -= 1;
      characters -= each.characters;
    }
  }

  /**
   * @param {ChatMessage} message
   * @returns {Conversation | null}
   */
  #placeOf({ room, to, from, own }) {
    if (room !== null) return this.find("room", room) ?? null; // a room that was never joined
    const other = own ? to : from;
    if (to === null || other === null) return this.current; // the server's word to this session
    return this.open("direct", other);
  }
}

/**
 * Return whether a text has a name in it, as a word.
 *
 * @param {string} text
 * @param {string} name
 * @returns {boolean}
 */
export function mentions(text, name) {
  if (name === "" || text.length > 100_000) return false;
  const folded = text.normalize("NFC").toLowerCase(); // `fold` is slow for long texts
  const word = name.normalize("NFC").toLowerCase();
  for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + 1)) {
    const around = [folded[at - 1], folded[at + word.length]];
    if (!around.some((character) => character !== undefined && /[\p{L}\p{N}_]/u.test(character))) {
      return true;
    }
  }
  return false;
}
