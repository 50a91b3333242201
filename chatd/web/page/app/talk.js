/** `Talk`: the page while the person is in: one client, and what shows it. */

import { Acts } from "./acts.js";
import { Composer } from "./composer.js";
import { oncePerFrame } from "./drawing.js";
import { make, part } from "./elements.js";
import { Events } from "./events.js";
import { People, Places } from "./lists.js";
import { Log } from "./log.js";
import { togglePanel } from "./notices.js";
import { leaveQuestion, sentenceOf } from "./sentences.js";
import { readLine } from "./slash.js";
import { Chat } from "./state.js";
import { inLine } from "./text.js";

/** @typedef {import("../chatd/client.js").ChatClient} ChatClient */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Item} Item */

/** So many messages may come while the reader is above them; then the log goes to its end. */
const MAX_UNREAD = 20_000;

/**
 * @typedef {object} Page The parts that outlive a session.
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
  #log;
  #places;
  #people;
  #composer;
  #changed;
  #over = new AbortController();

  /**
   * @param {ChatClient} client
   * @param {Page} page
   */
  constructor(client, page) {
    this.#client = client;
    this.#page = page;
    this.#changed = oncePerFrame(() => this.#draw());
    this.#log = new Log(
      part("log"),
      {
        resend: (item) => this.#resend(item),
        discard: (item) => this.#discard(item),
        calls: (item) => this.#calls(item),
      },
      {
        draw: this.#changed,
        older: (conversation) => void this.#events.readOlder(conversation),
      },
      this.#over.signal,
    );
    this.#places = new Places((conversation) => this.choose(conversation));
    this.#acts = new Acts(client, this.chat, page.dialogs, (each) => this.choose(each));
    this.#people = new People((name) => this.#acts.person(name));
    this.#composer = new Composer((text) => this.#enter(text), this.#over.signal);
    this.#events = new Events(client, this.chat, {
      changed: () => this.#changedNow(),
      isSeen: () => this.#isSeen,
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
    part("own-name").textContent = inLine(this.#client.name);
    void this.#events.readOnce();
    this.#changed();
    this.#composer.focus();
  }

  /** @param {Conversation} conversation */
  choose({ kind, name }) {
    const conversation = this.chat.open(kind, name); // it may have been dropped meanwhile
    if (this.chat.current !== null) this.chat.current.newFrom = null;
    this.chat.current = conversation;
    togglePanel("show-places", "places", false);
    this.#log.toEnd();
    if (!conversation.isRead) void this.#events.readOlder(conversation);
    void this.#events.readPeople(conversation);
    this.#changed();
    this.#composer.focus();
  }

  /** @param {"findRoom" | "findPerson" | "options" | "newest" | "up" | "down" | "seen"} what */
  does(what) {
    const { current } = this.chat;
    if (what === "findRoom" || what === "findPerson") this.#acts[what]();
    else if (what === "options" && current !== null) this.#acts.options(current);
    else if (what === "newest") this.#log.toEnd();
    else if (what === "up" || what === "down") {
      const next = this.chat.neighbour(what === "up" ? -1 : 1);
      if (next !== null) this.choose(next);
    }
    this.#changed();
  }

  /** @param {string} room A room of a link. */
  join(room) {
    this.#client.join(room).then(
      (joined) => this.choose(this.chat.open("room", joined.room)),
      (error) => this.#page.banner.show(sentenceOf(error)),
    );
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

  async #leave() {
    this.end();
    await this.#client.close();
    this.#page.left();
  }

  /** @returns {boolean} Whether messages wait that would be lost with the page. */
  get hasUnsent() {
    return this.#client.unconfirmed > 0;
  }

  /** End the session, for the page goes. */
  suspend() {
    return this.#client.close();
  }

  /** Show nothing more. */
  end() {
    this.#over.abort();
    this.#page.dialogs.close();
  }

  /** @returns {boolean} Whether the person sees the newest messages of the conversation. */
  get #isSeen() {
    return !document.hidden && this.#log.isAtEnd;
  }

  #changedNow() {
    this.#changed();
    if (document.hidden) document.title = this.chat.title; // no frame comes then
  }

  #draw() {
    if (this.#over.signal.aborted) return;
    const { chat } = this;
    const { current } = chat;
    this.#log.draw(current);
    if (current !== null && this.#isSeen) {
      if (current.unread > 0) {
        current.see();
        this.#log.draw(current); // with the line above what is new
      }
      this.#page.marks.write(chat.name, current);
    }
    this.#composer.show(current, chat.closed);
    this.#places.draw(chat);
    this.#people.draw(chat);
    setText("place", current === null ? "No conversation" : inLine(current.name));
    setText("topic", inLine(current?.topic ?? ""));
    part("people-panel").classList.toggle("direct", current?.kind !== "room");
    part("room-menu").hidden = current === null;
    part("first-hint").hidden = chat.hint === "";
    part("hint-join").hidden = current !== null;
    setText("first-hint-text", chat.hint);
    const unread = current?.unread ?? 0;
    part("newest").hidden = this.#log.isAtEnd;
    setText(
      "newest",
      unread > 0 ? `${unread.toLocaleString()} new, go to the newest` : "Go to the newest",
    );
    if (document.title !== chat.title) document.title = chat.title;
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
    if (conversation === this.chat.current && conversation.unread > MAX_UNREAD) this.#log.toEnd();
    if (conversation !== this.chat.current || this.#log.isAtEnd) conversation.trim();
  }

  /** @param {{state: string, error?: unknown}} change */
  #stateChanged(change) {
    if (this.#over.signal.aborted) return;
    this.#page.banner.stateChanged(change, {
      retryNow: () => this.#client.retryNow(),
      joinAgain: () => this.#joinAgain(change.error),
    });
    if (change.state === "open") this.#page.keep(this.#client.name, this.#client.rooms);
    part("own-name").textContent = inLine(this.#client.name);
  }

  /** @param {unknown} error */
  #joinAgain(error) {
    this.end();
    this.#page.joinAgain(error, this.chat);
  }

  /**
   * Do what a person means by a line.
   *
   * @param {string} text
   */
  #enter(text) {
    const line = readLine(text);
    if (line.kind === "text") this.#send(line.text);
    else if (line.kind === "message") {
      this.choose(this.chat.open("direct", line.name));
      this.#send(line.text);
    } else if (line.kind === "join") this.join(line.room);
    else if (line.kind === "leave") this.#leavePlace();
    else {
      this.#composer.putBack(text);
      this.#page.dialogs.ask(
        "Send this as text?",
        [make("p", { text: "The page knows the commands /msg NAME TEXT, /join ROOM and /leave." })],
        [
          { text: "Edit", act: () => false, look: "primary" },
          { text: "Send as text", act: () => this.#sendAnyway(text) },
        ],
        null,
      );
    }
  }

  #leavePlace() {
    const { current } = this.chat;
    if (current === null) return;
    this.#acts.leave(current).catch((error) => this.#page.banner.show(sentenceOf(error)));
  }

  /** @param {string} text */
  #sendAnyway(text) {
    this.#composer.putBack("");
    this.#send(text);
  }

  /** @param {string} text */
  #send(text) {
    const { current } = this.chat;
    if (current === null) return;
    current.newFrom = null;
    const id = crypto.randomUUID();
    current.addPending(id, this.chat.name, text, Date.now() / 1000);
    this.#log.toEnd();
    this.#client.send(text, { ...current.place, id }).then(
      () => this.#answered(() => current.confirmed(id)),
      (error) => {
        this.#answered(() => current.refused(id, sentenceOf(this.chat.endedBy ?? error)));
      },
    );
  }

  /** @param {() => void} note */
  #answered(note) {
    note();
    this.#changed();
  }

  /** @param {Item} item */
  #resend(item) {
    this.#discard(item);
    this.#send(item.text ?? "");
  }

  /** @param {Item} item */
  #discard(item) {
    this.chat.current?.confirmed(item.id);
    this.#changed();
    this.#composer.focus();
  }

  /**
   * @param {Item} item
   * @returns {boolean}
   */
  #calls({ kind, own, text }) {
    const isRoom = this.chat.current?.kind === "room";
    return isRoom && kind === "message" && !own && this.chat.isCalled(text ?? "");
  }
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  const element = part(id);
  if (element.textContent !== text) element.textContent = text;
}
