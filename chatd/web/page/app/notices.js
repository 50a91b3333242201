/** What the page tells besides messages: the connection's state, and notifications. */

import { button, part } from "./elements.js";
import { sentenceOf } from "./sentences.js";
import { beginning, inLine } from "./text.js";

/** @typedef {import("../chatd/progress.js").ChatMessage} ChatMessage */

export class Banner {
  #again = part("again");
  /** @type {() => void} */
  #act = () => {};
  /** What it says of the connection; empty while all is well. */
  #state = "";

  constructor() {
    this.#again.addEventListener("click", () => this.#act());
    this.clear();
  }

  /** @param {string} text What goes beside the state of the connection, which keeps its button. */
  note(text) {
    if (this.#state === "") this.#write(text, "Close", () => this.clear());
    else part("banner-text").textContent = `${this.#state} ${text}`;
  }

  /**
   * @param {string} text
   * @param {string} [label] Of the button; without it, there is none.
   * @param {() => void} [act]
   */
  show(text, label = "", act = () => {}) {
    this.#state = text;
    this.#write(text, label, act);
  }

  /**
   * @param {string} text
   * @param {string} label
   * @param {() => void} act
   */
  #write(text, label, act) {
    part("banner").classList.remove("empty");
    part("banner-text").textContent = text;
    this.#again.hidden = label === "";
    this.#again.textContent = label;
    this.#act = act;
  }

  clear() {
    this.show("");
    part("banner").classList.add("empty");
  }

  /**
   * @param {{state: string, error?: unknown}} change
   * @param {{retryNow: () => void, joinAgain: () => void}} acts
   */
  stateChanged({ state, error }, { retryNow, joinAgain }) {
    if (state === "open") {
      this.clear();
    } else if (state === "waiting") {
      const { code, message } = /** @type {any} */ (error) ?? { code: "connection-lost" };
      this.show(
        `${sentenceOf({ code, message })} The page connects again by itself.`,
        "Connect now",
        retryNow,
      );
    } else if (state === "connecting") {
      this.show("Connecting…");
    } else if (error !== undefined) {
      this.show(sentenceOf(error), "Join again", joinAgain);
    }
  }
}

export class Notifications {
  #button = part("notify");

  constructor() {
    this.#button.hidden = !("Notification" in globalThis) || Notification.permission !== "default";
    this.#button.addEventListener("click", async () => {
      await Notification.requestPermission();
      this.#button.hidden = Notification.permission !== "default";
    });
  }

  /**
   * Notify the person of a message, if the browser may.
   *
   * @param {ChatMessage} message
   * @param {() => void} open Shows the message.
   */
  tell(message, open) {
    if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
    const place = message.room === null ? "" : ` in ${inLine(message.room)}`;
    try {
      const body = inLine(beginning(message.text ?? message.contentType, 200));
      const title = `${inLine(message.from ?? "")}${place}`;
      const told = new Notification(title, {
        body,
        tag: message.room ?? `@${message.from}`,
        icon: "icon.svg",
      });
      told.addEventListener("click", () => {
        globalThis.focus();
        open();
        told.close();
      });
    } catch {
      // Chrome on Android has notifications for service workers only.
    }
  }
}

/**
 * Show or hide a panel that covers the messages on a narrow screen.
 *
 * @param {string} opener
 * @param {string} panel
 * @param {boolean} [isOpen] The other way round, if missing.
 */
export function togglePanel(opener, panel, isOpen) {
  const shown = part(panel).classList.toggle("open", isOpen);
  part(opener).setAttribute("aria-expanded", String(shown));
  const close = part(panel).querySelector(".close");
  if (shown && close === null) {
    const added = button(
      "Close",
      () => togglePanel(opener, panel, false),
      "quiet close narrow-only",
    );
    part(panel).querySelector(".panel-head").append(added);
    added.focus();
  } else if (shown) {
    close.focus();
  } else if (part(panel).contains(document.activeElement)) {
    part(opener).focus();
  }
}
