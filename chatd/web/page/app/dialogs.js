/** `Dialogs`: small questions, one at a time. */

import { button, make, part } from "./elements.js";
import { sentenceOf } from "./sentences.js";

/**
 * @typedef {object} Choice
 * @property {string} text
 * @property {() => unknown} act What it does; if that fails, the dialog stays and says why. It
 *   stays, too, if that returns true.
 * @property {string} [look] The class of its button.
 */

export class Dialogs {
  /** @type {HTMLDialogElement} */
  #dialog = part("dialog");
  #refusal = part("dialog-refusal");
  /** @type {Choice | null} What Enter does. */
  #first = null;
  /** How many dialogs there were; it tells them apart. */
  #count = 0;
  /** The dialog whose answer is awaited. */
  #awaited = 0;

  /** @param {() => void} focus Called when nothing has the focus after a dialog. */
  constructor(focus) {
    this.#dialog.addEventListener("close", () => {
      if (document.activeElement === document.body) focus();
    });
    part("dialog-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.#first !== null) void this.#act(this.#first);
    });
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.close(); // beside it
    });
  }

  /**
   * @param {string} title
   * @param {Node[]} body
   * @param {Choice[]} choices The first is what Enter does.
   * @param {string | null} [closing] The text of the button that closes the dialog; null: no button.
   * @param {Promise<Choice[]>} [later] Choices that follow if the dialog is still open then.
   */
  ask(title, body, choices, closing = "Close", later) {
    this.#count += 1;
    const number = this.#count;
    this.#first = choices[0] ?? null;
    part("dialog-title").replaceChildren(make("bdi", { text: title }));
    part("dialog-body").replaceChildren(...body);
    this.#refusal.hidden = true;
    const buttons = part("dialog-buttons");
    buttons.replaceChildren(...this.#buttons(choices));
    if (closing !== null) buttons.append(button(closing, () => this.close(), "quiet"));
    void later?.then((added) => {
      if (number !== this.#count || !this.#dialog.open) return;
      if (closing === null) buttons.append(...this.#buttons(added));
      else buttons.lastElementChild?.before(...this.#buttons(added));
    });
    if (!this.#dialog.open) this.#dialog.showModal();
    const field = this.#dialog.querySelector("input, select, textarea, button");
    if (field instanceof HTMLElement) field.focus();
  }

  close() {
    this.#dialog.close();
  }

  /**
   * Return a function that tells whether the present dialog is still open: an answer may come when
   * the person has gone on.
   *
   * @returns {() => boolean}
   */
  marker() {
    const number = this.#count;
    return () => number === this.#count && this.#dialog.open;
  }

  /**
   * @param {Choice[]} choices
   * @returns {HTMLElement[]}
   */
  #buttons(choices) {
    return choices.map((choice) => {
      return button(choice.text, () => void this.#act(choice), choice.look ?? "");
    });
  }

  /** @param {Choice} choice */
  async #act({ act }) {
    const number = this.#count;
    if (this.#awaited === number) return; // one answer at a time
    this.#awaited = number;
    this.#refusal.hidden = true;
    const isOpen = this.marker();
    try {
      const goesOn = await act();
      if (goesOn !== true && isOpen()) this.close();
    } catch (error) {
      if (!isOpen()) return;
      this.#refusal.textContent = sentenceOf(error);
      this.#refusal.hidden = false;
    } finally {
      if (this.#awaited === number) this.#awaited = 0; // else another dialog's answer is awaited
    }
  }
}

/**
 * Make a text field with its label.
 *
 * @param {string} label
 * @param {string} [value]
 * @param {number} [longest]
 * @returns {{nodes: Node[], input: HTMLInputElement}}
 */
export function field(label, value = "", longest = 64) {
  const id = `field-${label.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const input = make("input", {
    attributes: { id, maxlength: String(longest), autocomplete: "off" },
  });
  input.value = value;
  return {
    nodes: [make("label", { text: label, attributes: { for: id } }), input],
    input,
  };
}

/**
 * Make a choice from a list, with its label.
 *
 * @param {string} label
 * @param {string[]} texts
 * @returns {{nodes: Node[], select: HTMLSelectElement}}
 */
export function selection(label, texts) {
  const id = `select-${label.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const options = texts.map((text, index) => {
    return make("option", { text, attributes: { value: String(index) } });
  });
  const select = make("select", { attributes: { id } }, ...options);
  return {
    nodes: [make("label", { text: label, attributes: { for: id } }), select],
    select,
  };
}
