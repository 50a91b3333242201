/** `Composer`: where a person writes. */

import { part } from "./elements.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

export class Composer {
  /** @type {HTMLTextAreaElement} */
  #field = part("message");
  /** @type {Conversation | null} */
  #conversation = null;

  /**
   * @param {(text: string) => boolean} send Returns whether the text is taken: else it stays.
   */
  constructor(send) {
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = this.#field.value.replace(/\s+$/, "");
      if (text !== "" && this.#conversation !== null && send(text)) this.clear();
    };
    part("composer").addEventListener("submit", submit);
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      part("composer").requestSubmit();
    });
    this.#field.addEventListener("input", () => this.#write(this.#field.value));
  }

  /**
   * @param {Conversation | null} conversation Where the person writes now; each has its draft.
   * @param {string} closed Why they cannot write now; empty if they can.
   */
  show(conversation, closed) {
    this.#field.disabled = closed !== "";
    this.#field.placeholder = closed;
    part("send").disabled = closed !== "";
    if (conversation === this.#conversation) return;
    this.#conversation = conversation;
    this.#field.value = conversation?.draft ?? "";
    this.#fit();
  }

  /** The text is sent. */
  clear() {
    this.#write("");
  }

  focus() {
    // A field that gets the focus back from a dialog may have no caret.
    this.#field.blur();
    this.#field.focus();
  }

  /** @param {string} text What the person has written so far. */
  #write(text) {
    if (this.#conversation !== null) this.#conversation.draft = text;
    if (this.#field.value !== text) this.#field.value = text;
    this.#fit();
  }

  /**
   * Be as high as the text, up to the limit of the style sheet. The form stays as high as it is
   * meanwhile: the browser would scroll the log.
   */
  #fit() {
    const form = part("composer");
    form.style.height = `${form.offsetHeight}px`;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
    form.style.height = "";
  }
}

/**
 * @param {KeyboardEvent} event
 * @returns {boolean} Whether an input method takes the key, which does not send then.
 */
function isComposing({ isComposing, keyCode }) {
  return isComposing || keyCode === 229; // Safari tells of the last key only by its code
}
