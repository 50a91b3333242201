/** `Talk`: a person's session: its client, the state of the chat, and what the person does. */

import { Acts } from "./acts.js";
import { MAX_CHARACTERS } from "./conversation.js";
import { make } from "./elements.js";
import { Events } from "./events.js";
import { togglePanel } from "./notices.js";
import { leaveQuestion, sentenceOf } from "./sentences.js";
import { readLine } from "./slash.js";
import { Chat } from "./state.js";

/** @typedef {import("../chatd/client.js").ChatClient} ChatClient */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Item} Item */

/** So many messages may come while the reader is above them; then the log goes to its end. */
const MAX_UNREAD = 20_000;
/** And there may be so many characters and items in all. */
const MAX_ABOVE = 4 * MAX_CHARACTERS;
const MAX_ITEMS_ABOVE = 200_000;

/**
 * @typedef {object} Page The parts that outlive a session.
 * @property {import("./view.js").View} view
 * @property {import("./notices.js").Banner} banner
 * @property {import("./notices.js").Notifications} notifications
 * @property {import("./dialogs.js").Dialogs} dialogs
 * @property {import("./marks.js").Marks} marks
 * @property {() => void} left The person has left.
 * @property {(error: unknown, chat: Chat) => void} joinAgain The person wants to come back.
 * @property {(name: string, rooms: string[]) => void} keep Remembers them, where the person asked.
 */

export class Talk {
  chat = new Chat();
  #client;
  #page;
  #events;
  #acts;
  #isOver = false;
  /** @type {string | null} A room to join with the next session. */
  #invitedTo = null;

  /**
   * @param {ChatClient} client
   * @param {Page} page
   */
  constructor(client, page) {
    this.#client = client;
    this.#page = page;
    this.#acts = new Acts(client, this.chat, page.dialogs, (each) => this.choose(each));
    this.#events = new Events(client, this.chat, {
      changed: () => this.#changed(),
      isSeen: () => page.view.isSeen,
      lastRead: (conversation) => page.marks.read(client.name, conversation),
      arrived: (message, conversation) => this.#arrived(message, conversation),
      grown: (conversation) => this.#grown(conversation),
      stateChanged: (change) => this.#stateChanged(change),
      now: () => Date.now() / 1000,
    });
    client.addEventListener("rooms", () => {
      if (client.state === "open") page.keep(client.name, client.rooms);
    });
  }

  /** The person is in: show it. */
  begin() {
    this.chat.name = this.#client.name;
    this.#page.view.show(this);
    void this.#events.readOnce();
    this.#page.view.focus();
  }

  /** @param {Conversation | null} conversation What to show; null: there is none. */
  choose(conversation) {
    if (this.#isOver) return; // a notification of an ended session
    const { chat } = this;
    const { view } = this.#page;
    if (chat.current !== null) chat.current.newFrom = null;
    // It may have been dropped meanwhile.
    chat.current = conversation && chat.open(conversation.kind, conversation.name);
    togglePanel("show-places", "places", false);
    view.toEnd();
    if (chat.current !== null) {
      chat.current.isRefused = false;
      this.readOlder(chat.current);
      void this.#events.readPeople(chat.current);
    }
    this.#changed();
    view.focus();
  }

  /** @param {"findRoom" | "findPerson" | "options" | "newest" | "up" | "down" | "seen"} what */
  does(what) {
    const { current } = this.chat;
    if (what === "findRoom" || what === "findPerson") this.#acts[what]();
    else if (what === "options" && current !== null) this.#acts.options(current);
    else if (what === "newest") this.#page.view.toEnd();
    else if (what === "up" || what === "down") {
      const next = this.chat.neighbour(what === "up" ? -1 : 1);
      if (next !== null) this.choose(next);
    }
    this.#changed();
  }

  /** @param {string} name Somebody whose menu the person opens. */
  showPerson(name) {
    this.#acts.person(name);
  }

  /** @param {string} room A room of a link; it is joined as soon as there is a session. */
  join(room) {
    if (this.#client.state !== "open") {
      this.#invitedTo = room;
      return;
    }
    this.#client.join(room).then(
      (joined) => this.choose(this.chat.open("room", joined.room)),
      (error) => this.tell(error),
    );
  }

  /** @param {unknown} error What the person asked for, and did not get. */
  tell(error) {
    this.#page.banner.note(sentenceOf(error));
  }

  /** @param {Conversation} conversation The reader comes near to its first message. */
  readOlder(conversation) {
    void this.#events.readOlder(conversation);
  }

  /** @param {Conversation} conversation The person has seen all of it. */
  markRead(conversation) {
    this.#page.marks.write(this.chat.name, conversation);
  }

  /** Leave the chat; ask first if something would be lost. */
  askToLeave() {
    const question = leaveQuestion(this.chat);
    if (question === "") return void this.#leave();
    this.#page.dialogs.ask(
      "Leave the chat",
      [make("p", { text: question })],
      [
        { text: "Stay", act: () => false, look: "primary" },
        { text: "Leave anyway", act: () => this.#leave(), look: "danger" },
      ],
      null,
    );
  }

  /** @returns {boolean} Whether something would be lost with the page. */
  get hasUnsent() {
    return leaveQuestion(this.chat) !== "";
  }

  /** End the session, for the page goes. */
  suspend() {
    return this.#client.close();
  }

  /** Show nothing more. */
  end() {
    this.#isOver = true;
    this.#page.view.show(null);
    this.#page.dialogs.close();
  }

  /**
   * Do what a person means by a line.
   *
   * @param {string} text
   * @returns {boolean} Whether it is done; else the person may change the line.
   */
  enter(text) {
    const line = readLine(text);
    if (line.kind === "text") return this.#send(line.text);
    if (line.kind === "unknown") {
      this.#askToSend(text);
      return false;
    }
    if (line.kind === "message") {
      this.choose(this.chat.open("direct", line.name));
      return this.#send(line.text);
    }
    if (line.kind === "join") this.join(line.room);
    else this.#leavePlace();
    return true;
  }

  /** @param {Item} item What the server refused. */
  resend(item) {
    this.discard(item);
    this.#send(item.text ?? "");
  }

  /** @param {Item} item What the server refused. */
  discard(item) {
    this.chat.current?.confirmed(item.id);
    this.#changed();
    this.#page.view.focus();
  }

  #changed() {
    this.#page.view.changed(this);
  }

  async #leave() {
    this.end();
    await this.#client.close();
    this.#page.left();
  }

  /**
   * @param {import("../chatd/progress.js").ChatMessage} message
   * @param {Conversation} conversation
   */
  #arrived(message, conversation) {
    if (!document.hidden || !this.chat.calls(message)) return;
    this.#page.notifications.tell(message, () => this.choose(conversation));
  }

  /** @param {Conversation} conversation */
  #grown(conversation) {
    const { view } = this.#page;
    const { unread, characters, items } = conversation;
    const isTooMuch =
      unread > MAX_UNREAD || characters > MAX_ABOVE || items.length > MAX_ITEMS_ABOVE;
    if (conversation === this.chat.current && isTooMuch) view.toEnd();
    if (conversation !== this.chat.current || view.isAtEnd) conversation.trim();
  }

  /** @param {{state: string, error?: unknown}} change */
  #stateChanged(change) {
    if (this.#isOver) return;
    this.#page.banner.stateChanged(change, {
      retryNow: () => this.#client.retryNow(),
      joinAgain: () => this.#joinAgain(change.error),
    });
    if (change.state !== "open") return;
    this.#page.keep(this.#client.name, this.#client.rooms);
    const room = this.#invitedTo;
    this.#invitedTo = null;
    if (room !== null) this.join(room);
  }

  /** @param {unknown} error */
  #joinAgain(error) {
    this.end();
    this.#page.joinAgain(error, this.chat);
  }

  /** @param {string} text A line with a command that the page does not know. */
  #askToSend(text) {
    this.#page.dialogs.ask(
      "Send this as text?",
      [make("p", { text: "The page knows the commands /msg NAME TEXT, /join ROOM and /leave." })],
      [
        { text: "Edit", act: () => false, look: "primary" },
        { text: "Send as text", act: () => this.#send(text) && this.#page.view.clearText() },
      ],
      null,
    );
  }

  #leavePlace() {
    const { current } = this.chat;
    if (current === null) return;
    this.#acts.leave(current).catch((error) => this.tell(error));
  }

  /**
   * @param {string} text
   * @returns {boolean} Whether there is a place to send it to.
   */
  #send(text) {
    const { current } = this.chat;
    if (current === null) return false;
    current.newFrom = null;
    const id = crypto.randomUUID();
    current.addPending(id, this.chat.name, text, Date.now() / 1000);
    this.#page.view.toEnd();
    this.#client.send(text, { ...current.place, id }).then(
      () => this.#answered(() => current.confirmed(id)),
      (error) => {
        this.#answered(() => current.refused(id, sentenceOf(this.chat.endedBy ?? error)));
      },
    );
    return true;
  }

  /** @param {() => void} note */
  #answered(note) {
    note();
    this.#changed();
  }
}
