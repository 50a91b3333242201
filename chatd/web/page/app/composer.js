/** `Composer`: where a person writes. */

import { part } from "./elements.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

export class Composer {
  /** @type {HTMLTextAreaElement} */
  #field = part("message");
  /** @type {Conversation | null} */
  #conversation = null;

  /**
   * @param {(text: string) => void} send
   * @param {AbortSignal} signal Ends it.
   */
  constructor(send, signal) {
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = this.#field.value.replace(/\s+$/, "");
      if (text === "" || this.#conversation === null) return;
      this.#write("");
      send(text);
    };
    part("composer").addEventListener("submit", submit, { signal });
    this.#field.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        part("composer").requestSubmit();
      },
      { signal },
    );
    this.#field.addEventListener("input", () => this.#write(this.#field.value), { signal });
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

  /** @param {string} text What was not sent, for the person to change it. */
  putBack(text) {
    this.#write(text);
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
