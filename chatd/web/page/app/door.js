/** `Door`: the form by which a person joins. */

import { part } from "./elements.js";
import { fieldOf, isName, sentenceOf } from "./sentences.js";

/** @typedef {{name: string, key: string, password: string, isRemembered: boolean}} Entered */

export class Door {
  #refusal = part("refusal");
  #enter = part("enter");
  /** @type {Record<string, HTMLInputElement>} */
  #fields = {
    name: part("name"),
    key: part("key"),
    password: part("password"),
  };
  #remember = part("remember");

  /** @param {(entered: Entered) => void} join Called when the person wants to join. */
  constructor(join) {
    part("join").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.#enter.disabled) return;
      const { name, key, password } = this.#fields;
      const isRemembered = this.#remember.checked;
      const entered = {
        name: name.value.trim(),
        key: key.value.trim(),
        password: password.value,
      };
      if (isName(entered.name)) join({ ...entered, isRemembered });
      else this.open({ code: "bad-name" });
    });
  }

  /** @param {{name?: string, key?: string, isRemembered?: boolean}} known */
  fill({ name = "", key = "", isRemembered = false }) {
    this.#fields.name.value = name;
    this.#fields.key.value = key;
    this.#fields.password.value = "";
    this.#remember.checked = isRemembered;
  }

  /** @param {unknown} [error] Why the person is here again. */
  open(error) {
    part("chat").hidden = true;
    part("door").hidden = false;
    this.busy(false);
    this.#refusal.hidden = error === undefined;
    this.#refusal.textContent = error === undefined ? "" : sentenceOf(error);
    const field = fieldOf(error);
    // A server that wants a password takes no guests.
    if (/** @type {any} */ (error)?.code === "auth-required") part("name-hint").hidden = true;
    for (const [name, input] of Object.entries(this.#fields)) {
      input.setAttribute("aria-invalid", String(name === field));
    }
    this.#fields[field ?? "name"].focus();
  }

  /** The person is in: forget what is secret, and show the chat. */
  close() {
    this.fill({});
    part("door").hidden = true;
    part("chat").hidden = false;
  }

  /** @param {boolean} isBusy Whether the connection is being made. */
  busy(isBusy) {
    this.#enter.disabled = isBusy;
    this.#enter.textContent = isBusy ? "Joining…" : "Join";
    if (isBusy) this.#refusal.hidden = true;
  }
}
