/** `Events`: what the client reports goes into the state of the chat. No DOM here. */

import { Conversation } from "./conversation.js";
import { addPage } from "./roster.js";
import { historyRefusal, sentenceOf } from "./sentences.js";
import { MAX_DIRECT } from "./state.js";

/** @typedef {import("../chatd/client.js").ChatClient} ChatClient */
/** @typedef {import("../chatd/progress.js").ChatMessage} ChatMessage */
/** @typedef {import("./state.js").Chat} Chat */

/**
 * @typedef {object} Shell What the state needs of the page.
 * @property {() => void} changed Something is to be drawn.
 * @property {() => boolean} isSeen Whether the person sees the newest messages.
 * @property {(conversation: Conversation) => number | null} lastRead The `seq` that the person read
 *   last; null if it is unknown.
 * @property {(message: ChatMessage, conversation: Conversation) => void} arrived
 * @property {(conversation: Conversation) => void} grown A message or a notice was added at its end.
 * @property {(change: {state: string, error?: unknown}) => void} stateChanged
 * @property {() => number} now Unix seconds.
 */

const FIRST_PAGE = 100;
const LATER_PAGE = 200;
/** So many direct conversations are read at once, to count what the person has not seen. */
const MAX_UNSEEN = 20;

export class Events {
  #client;
  #chat;
  #shell;

  /**
   * @param {ChatClient} client
   * @param {Chat} chat
   * @param {Shell} shell
   */
  constructor(client, chat, shell) {
    this.#client = client;
    this.#chat = chat;
    this.#shell = shell;
    /** @type {Record<string, (detail: any) => void>} */
    const takers = {
      message: (detail) => this.#message(detail),
      joined: (detail) => this.#joined(detail),
      left: (detail) => this.#left(detail),
      renamed: (detail) => this.#renamed(detail),
      recovered: (detail) => this.#recovered(detail),
      topic: (detail) => this.#topic(detail),
      away: ({ name, text }) => this.#note(chat.find("direct", name), `${name} is away: ${text}`),
      absent: ({ name }) =>
        this.#note(
          chat.find("direct", name),
          `${name} is not here now, and gets the message later.`,
        ),
      invited: ({ room, name }) =>
        this.#note(chat.current, `${name} invites you to the room ${room}.`),
      "room-changed": (detail) => this.#roomChanged(detail),
      error: (error) => this.#note(chat.current, sentenceOf(error)),
      state: (detail) => this.#stateChanged(detail),
    };
    for (const [type, take] of Object.entries(takers)) {
      client.addEventListener(type, (event) => {
        take(/** @type {CustomEvent} */ (event).detail);
        shell.changed();
      });
    }
  }

  /**
   * Read a page of history, unless one is on its way.
   *
   * @param {Conversation} conversation
   */
  async readOlder(conversation) {
    if (conversation.isReading || conversation.isWhole || this.#client.state !== "open") return;
    if (!conversation.isJoined || conversation.isRefused) return;
    conversation.isReading = true;
    const { epoch, name } = conversation;
    const place = conversation.kind === "room" ? name : { with: name };
    const before = conversation.isRead ? conversation.firstSeq : undefined;
    const isFirst = !conversation.isRead;
    const limit = isFirst ? FIRST_PAGE : LATER_PAGE;
    const { trims } = conversation;
    try {
      const page = await this.#client.history(place, { before, limit });
      if (conversation.epoch !== epoch) return; // the room began anew meanwhile
      if (conversation.trims !== trims) return; // something between the page and the rest is gone
      if (conversation.kind === "direct") conversation.enter(page.epoch);
      conversation.addOlder(page.messages, page.complete || page.messages.length === 0);
      if (!isFirst && conversation.firstSeq === before) conversation.isWhole = true; // no progress
      const lastRead = isFirst ? this.#shell.lastRead(conversation) : null;
      if (lastRead !== null) conversation.countUnread(lastRead);
    } catch (error) {
      if (this.#client.state === "open") {
        conversation.isRefused = true; // ask no more, until the person comes here again
        this.#note(conversation, historyRefusal(error));
      }
    } finally {
      conversation.isReading = false;
      this.#shell.changed();
    }
  }

  /**
   * Read who is in a room, and its topic.
   *
   * @param {Conversation} conversation
   */
  async readPeople(conversation) {
    if (conversation.kind !== "room" || this.#client.state !== "open") return;
    const { name: room, people, changes } = conversation;
    const reading = people.read();
    try {
      for await (const page of this.#client.pages("who", { room })) {
        if (!people.awaits(reading)) return;
        addPage(reading, listOf(page.names), page.away);
        // An event that came meanwhile may be newer than the answer.
        if (conversation.changes === changes) conversation.isPrivate = page.private === true;
      }
      people.finish(reading);
      await this.#readTopic(conversation);
    } catch {
      // The session ended, or the room is gone.
    }
    this.#shell.changed();
  }

  /** @param {Conversation} conversation A room. */
  async #readTopic(conversation) {
    const { name: room, changes } = conversation;
    const { topic } = await this.#client.command("topic", { room });
    if (conversation.changes === changes) conversation.topic = String(topic ?? "");
  }

  /** Learn with whom this name has direct messages. */
  async readOnce() {
    /** @type {unknown[]} */
    const listed = [];
    try {
      for await (const page of this.#client.pages("conversations")) {
        listed.push(...listOf(page.conversations));
      }
    } catch {
      // The session ended, or the server has no such list.
    }
    /** @type {Conversation[]} */
    const seen = [];
    /** @type {Conversation[]} */
    const unseen = [];
    for (const each of listed) {
      const { with: other, epoch, seq } = Object(each);
      const there = this.#chat.find("direct", String(other));
      if (there?.isRead) continue;
      const conversation = there ?? new Conversation("direct", String(other));
      conversation.enter(String(epoch));
      const isNew = Number(seq) > (this.#shell.lastRead(conversation) ?? -1);
      (isNew ? unseen : seen).push(conversation);
    }
    // The page keeps the last that are opened: those with something new.
    const counted = new Set(unseen.slice(-MAX_UNSEEN));
    for (const each of [...seen, ...unseen].slice(-MAX_DIRECT)) {
      const conversation = this.#chat.open("direct", each.name);
      conversation.enter(String(each.epoch));
      if (counted.has(each)) void this.readOlder(conversation);
    }
    this.#shell.changed();
  }

  /** @param {ChatMessage} message */
  #message(message) {
    const conversation = this.#chat.take(message, this.#shell.isSeen());
    if (conversation === null) return;
    this.#shell.grown(conversation);
    this.#shell.arrived(message, conversation);
  }

  /** @param {{room: string, name: string, own: boolean, epoch?: string, topic?: string | null}} joined */
  #joined({ room, name, own, epoch, topic }) {
    if (!own) {
      this.#chat.find("room", room)?.people.came(name);
      return;
    }
    if (epoch === undefined) return; // another session of this name
    const conversation = this.#chat.open("room", room);
    const wasJoined = conversation.isJoined;
    if (conversation.enter(epoch)) {
      this.#note(conversation, "The server began anew: it no longer has the earlier messages.");
    }
    if (topic !== null && topic !== undefined) conversation.topic = topic;
    if (this.#chat.current === null) this.#chat.current = conversation;
    if (!wasJoined) this.#note(conversation, "You are in the room again.");
    this.#read(conversation);
  }

  /** @param {{room: string, name: string, own: boolean, by?: string, reason?: string, removed?: boolean}} left */
  #left({ room, name, own, by, reason, removed }) {
    const conversation = this.#chat.find("room", room);
    if (conversation === undefined) return;
    if (own && by === undefined && removed !== undefined) {
      conversation.isJoined = false;
      conversation.people.clear();
      if (removed) this.#note(conversation, "You were removed from this private room.");
      else this.#chat.close(conversation);
      return;
    }
    conversation.people.went(name);
    if (by !== undefined) {
      this.#note(conversation, `${by} removed ${name}${reason ? `: ${reason}` : ""}.`);
    }
  }

  /** @param {{name: string, oldName: string}} renamed */
  #renamed({ name, oldName }) {
    for (const conversation of this.#chat.rooms) {
      if (!conversation.people.renamed(oldName, name)) continue;
      this.#note(conversation, `${oldName} is now ${name}.`);
    }
  }

  /** @param {{room?: string, with?: string, recovered: boolean}} recovered */
  #recovered({ room, with: other, recovered }) {
    if (recovered) return;
    if (room === undefined) {
      this.#note(this.#chat.find("direct", other ?? ""), "Messages may be missing here.");
    } else {
      const told = "Messages are missing here: the server no longer has them.";
      this.#note(this.#chat.find("room", room), told);
    }
  }

  /** @param {{room: string, topic: string, name: string}} topic */
  #topic({ room, topic, name }) {
    const conversation = this.#chat.find("room", room);
    if (conversation === undefined) return;
    conversation.topic = topic;
    conversation.changes += 1;
    const told = topic === "" ? `${name} cleared the topic.` : `${name} set the topic: ${topic}`;
    this.#note(conversation, told);
  }

  /** @param {{room: string, private: boolean, name: string}} changed */
  #roomChanged({ room, private: isPrivate, name }) {
    const conversation = this.#chat.find("room", room);
    if (conversation === undefined) return;
    conversation.isPrivate = isPrivate;
    conversation.changes += 1;
    this.#note(conversation, `${name} made this room ${isPrivate ? "private" : "public"}.`);
  }

  /** @param {{state: string, error?: unknown}} change */
  #stateChanged(change) {
    this.#chat.name = this.#client.name;
    if (change.state === "open") {
      for (const conversation of this.#chat.conversations.values()) conversation.isRefused = false;
      for (const conversation of this.#chat.rooms) this.#read(conversation);
    }
    if (change.state === "ended" && change.error !== undefined) {
      this.#chat.endedBy = change.error;
      for (const conversation of this.#chat.rooms) conversation.people.clear();
    }
    this.#shell.stateChanged(change);
  }

  /** @param {Conversation} conversation */
  #read(conversation) {
    if (!conversation.isRead) void this.readOlder(conversation);
    void this.readPeople(conversation);
  }

  /**
   * @param {Conversation | null | undefined} conversation
   * @param {string} text
   */
  #note(conversation, text) {
    if (!conversation) return;
    conversation.addNotice(text, this.#shell.now());
    this.#shell.grown(conversation);
  }
}

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}
