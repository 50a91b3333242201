/** `View`: what shows the chat, and takes what the person does there; it outlives the sessions. */

import { Composer } from "./composer.js";
import { oncePerFrame } from "./drawing.js";
import { part } from "./elements.js";
import { People, Places } from "./lists.js";
import { Log } from "./log.js";
import { inLine } from "./text.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./state.js").Chat} Chat */
/** @typedef {import("./talk.js").Talk} Talk */

export class View {
  /** @type {Talk | null} The session that is shown. */
  #talk = null;
  #changed = oncePerFrame(() => this.#draw());
  #log = new Log(
    part("log"),
    {
      resend: (item) => this.#talk?.resend(item),
      discard: (item) => this.#talk?.discard(item),
      calls: (item) => this.#talk?.chat.isCalledBy(item) ?? false,
    },
    {
      draw: this.#changed,
      older: (conversation) => this.#talk?.readOlder(conversation),
    },
  );
  #places = new Places((conversation) => this.#talk?.choose(conversation));
  #people = new People((name) => this.#talk?.showPerson(name));
  #composer = new Composer((text) => this.#talk?.enter(text) ?? false);

  /** @returns {boolean} Whether the person sees the newest messages of the conversation. */
  get isSeen() {
    return !document.hidden && this.#log.isAtEnd;
  }

  /** @returns {boolean} Whether the log is at its end. */
  get isAtEnd() {
    return this.#log.isAtEnd;
  }

  /** @param {Talk | null} talk The session to show; null: none. */
  show(talk) {
    this.#talk = talk;
    if (talk === null) this.#log.draw(null);
    else this.#changed();
  }

  /**
   * Draw with the next frame, if this session is shown.
   *
   * @param {Talk} talk
   */
  changed(talk) {
    if (talk !== this.#talk) return;
    this.#changed();
    if (document.hidden) document.title = talk.chat.title; // no frame comes then
  }

  /** Go to the newest message. */
  toEnd() {
    this.#log.toEnd();
  }

  focus() {
    this.#composer.focus();
  }

  /** The text in the field is sent. */
  clearText() {
    this.#composer.clear();
  }

  #draw() {
    if (this.#talk === null) return;
    const { chat } = this.#talk;
    const { current } = chat;
    this.#log.draw(current);
    if (current !== null && this.isSeen) {
      if (current.unread > 0) {
        current.see();
        this.#log.draw(current); // with the line above what is new
      }
      this.#talk.markRead(current);
    }
    this.#composer.show(current, chat.closed);
    this.#places.draw(chat);
    this.#people.draw(chat);
    setText("own-name", inLine(chat.name));
    this.#drawHead(chat);
    part("newest").hidden = this.#log.isAtEnd;
    const unread = current?.unread ?? 0;
    const found = unread > 0 ? `${unread.toLocaleString()} new, go` : "Go";
    setText("newest", `${found} to the newest`);
    if (document.title !== chat.title) document.title = chat.title;
  }

  /** @param {Chat} chat */
  #drawHead({ current, hint }) {
    setText("place", current === null ? "No conversation" : inLine(current.name));
    const about = [current?.isPrivate ? "private" : "", inLine(current?.topic ?? "")];
    setText("topic", about.filter((each) => each !== "").join(" · "));
    part("people-panel").classList.toggle("direct", current?.kind !== "room");
    part("room-menu").hidden = current === null;
    part("first-hint").hidden = hint === "";
    part("hint-join").hidden = current !== null;
    setText("first-hint-text", hint);
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
