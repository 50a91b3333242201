/** `Acts`: what a person does in dialogs: finding rooms and people, topics, and moderation. */

import { fold } from "../chatd/names.js";
import { field, selection } from "./dialogs.js";
import { button, make } from "./elements.js";
import { inLine } from "./text.js";

/** @typedef {import("../chatd/client.js").ChatClient} ChatClient */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./dialogs.js").Dialogs} Dialogs */
/** @typedef {import("./state.js").Chat} Chat */

/** @type {[string, number | null][]} */
const BANS = [
  ["for an hour", 3600],
  ["for a day", 86_400],
  ["for a week", 604_800],
  ["for ever", null],
];

/** So many rooms are offered to join; the name of any other can be entered. */
const MAX_ROOMS = 500;

export class Acts {
  #client;
  #chat;
  #dialogs;
  #choose;

  /**
   * @param {ChatClient} client
   * @param {Chat} chat
   * @param {Dialogs} dialogs
   * @param {(conversation: Conversation | null) => void} choose Shows a conversation, or that there
   *   is none.
   */
  constructor(client, chat, dialogs, choose) {
    this.#client = client;
    this.#chat = chat;
    this.#dialogs = dialogs;
    this.#choose = choose;
  }

  findRoom() {
    const { nodes, input } = field("Room");
    const rooms = make("div", { class: "choices" });
    const join = () => this.#join(input.value.trim());
    this.#dialogs.ask(
      "Join a room",
      [...nodes, rooms],
      [{ text: "Join room", act: join, look: "primary" }],
    );
    void this.#fillRooms(rooms);
  }

  findPerson() {
    const { nodes, input } = field("To", "", 32);
    const write = () => this.#write(input.value.trim());
    this.#dialogs.ask("Write to somebody", nodes, [{ text: "Write", act: write, look: "primary" }]);
  }

  /** @param {string} name */
  person(name) {
    const write = {
      text: "Write",
      act: () => this.#write(name),
      look: "primary",
    };
    const away = this.#chat.current?.people.away.get(fold(name));
    const body = away === undefined ? [] : [make("p", { text: `Away: ${inLine(away)}` })];
    this.#dialogs.ask(inLine(name), body, [write], "Close", this.#moderation(name));
  }

  /** @param {Conversation} conversation */
  options(conversation) {
    const { kind, name } = conversation;
    if (kind === "direct") {
      const close = () => this.leave(conversation);
      this.#dialogs.ask(inLine(name), [], [{ text: "Remove from the list", act: close }], "Cancel");
      return;
    }
    const { nodes, input } = field("Topic", conversation.topic, 256);
    const topic = () => this.#client.command("topic", { room: name, topic: input.value.trim() });
    const leave = () => this.leave(conversation);
    this.#dialogs.ask(inLine(name), nodes, [
      {
        text: "Set topic",
        act: async () => void (await topic()),
        look: "primary",
      },
      { text: "Leave room", act: leave, look: "danger" },
    ]);
  }

  /** @param {HTMLElement} place */
  async #fillRooms(place) {
    try {
      for await (const { rooms } of this.#client.pages("rooms")) {
        for (const each of Array.isArray(rooms) ? rooms : []) {
          if (place.childElementCount < MAX_ROOMS) place.append(this.#entryOf(each));
        }
      }
    } catch {
      // The name of the room can be entered without the list.
    }
  }

  /**
   * @param {unknown} listed What the server says of a room.
   * @returns {HTMLElement}
   */
  #entryOf(listed) {
    const { room, members, topic } = Object(listed);
    const entry = button("", () => void this.#join(String(room)).catch(() => {}));
    const about = make("bdi", { class: "count", text: inLine(String(topic ?? "")) });
    const count = make("span", { class: "count", text: `${Number(members)} here` });
    entry.append(make("bdi", { text: inLine(String(room)) }), about, count);
    return entry;
  }

  /** @param {string} name */
  async #join(name) {
    if (name === "") return true;
    const isAsked = this.#dialogs.marker();
    const { room } = await this.#client.join(name);
    const conversation = this.#chat.open("room", room);
    if (isAsked()) this.#show(conversation); // else the person has gone on
    return false;
  }

  /** @param {string} name */
  #write(name) {
    if (name === "") return true;
    this.#show(this.#chat.open("direct", name));
    return false;
  }

  /**
   * Show a conversation; the dialog closes first, for behind it nothing can have the focus.
   *
   * @param {Conversation | null} conversation
   */
  #show(conversation) {
    this.#dialogs.close();
    this.#choose(conversation);
  }

  /** @param {Conversation} conversation A room to leave, or direct messages to close. */
  async leave(conversation) {
    const isAsked = this.#dialogs.marker();
    if (conversation.kind === "room" && conversation.isJoined)
      await this.#client.leave(conversation.name);
    const isCurrent = conversation === this.#chat.current;
    this.#chat.close(conversation);
    if (isAsked()) this.#dialogs.close();
    if (isCurrent || this.#chat.current === null) this.#choose(this.#chat.current);
  }

  /**
   * Return what an operator can do with somebody else. Only the server knows who is an operator: it
   * is asked for the bans, which it refuses to others.
   *
   * @param {string} name
   * @returns {Promise<import("./dialogs.js").Choice[]>}
   */
  async #moderation(name) {
    if (fold(name) === fold(this.#chat.name)) return [];
    try {
      await this.#client.command("bans");
    } catch {
      return [];
    }
    return [
      { text: "Kick…", act: () => this.#kick(name), look: "danger" },
      { text: "Ban…", act: () => this.#ban(name), look: "danger" },
    ];
  }

  /** @param {string} name */
  #kick(name) {
    const { nodes, input } = field("Reason", "", 256);
    const kick = () => this.#moderate("kick", { name, reason: input.value.trim() || undefined });
    this.#dialogs.ask(`Kick ${inLine(name)}`, nodes, [
      { text: "Kick", act: kick, look: "primary" },
    ]);
    return true;
  }

  /** @param {string} name */
  #ban(name) {
    const { nodes, input } = field("Reason", "", 256);
    const times = selection("How long", BANS.map(([text]) => text)); // prettier-ignore
    const ban = () => {
      const seconds = BANS[Number(times.select.value)][1];
      const until = seconds === null ? undefined : Date.now() / 1000 + seconds;
      return this.#moderate("ban", {
        name,
        until,
        reason: input.value.trim() || undefined,
      });
    };
    const body = [...times.nodes, ...nodes];
    this.#dialogs.ask(`Ban ${inLine(name)}`, body, [{ text: "Ban", act: ban, look: "primary" }]);
    return true;
  }

  /**
   * @param {"kick" | "ban"} command
   * @param {Record<string, unknown>} fields
   */
  async #moderate(command, fields) {
    await this.#client.command(command, fields);
    return false;
  }
}
