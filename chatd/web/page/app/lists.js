/** The lists beside the messages: rooms, direct messages and people. */

import { initial, make, part } from "./elements.js";
import { hueOf } from "./rows.js";
import { inLine } from "./text.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./state.js").Chat} Chat */

/** So many people are in the document at most. */
const MAX_PEOPLE = 500;

export class Places {
  #choose;
  #drawn = "";

  /** @param {(conversation: Conversation) => void} choose */
  constructor(choose) {
    this.#choose = choose;
  }

  /** @param {Chat} chat */
  draw(chat) {
    const elsewhere = chat.unread - (chat.current?.unread ?? 0);
    part("elsewhere").hidden = elsewhere === 0;
    part("elsewhere").textContent = String(elsewhere);
    const all = [...chat.rooms, ...chat.direct];
    const drawn = JSON.stringify(
      all.map((each) => [each.key, each.name, each.unread, each.isJoined, each === chat.current]),
    );
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    keepingFocus(part("places"), () => {
      part("rooms").replaceChildren(...chat.rooms.map((each) => this.#entry(each, chat)));
      part("direct").replaceChildren(...chat.direct.map((each) => this.#entry(each, chat)));
    });
  }

  /**
   * @param {Conversation} conversation
   * @param {Chat} chat
   * @returns {HTMLElement}
   */
  #entry(conversation, chat) {
    const { kind, name, unread, key, isJoined } = conversation;
    const sign = kind === "room" ? make("span", { class: "count", text: "#" }) : faceOf(name);
    sign.setAttribute("aria-hidden", "true");
    const chosen = make("button", {
      attributes: { type: "button", "data-key": key },
      click: () => this.#choose(conversation),
    });
    chosen.append(sign, make("bdi", { text: inLine(name) }));
    if (conversation === chat.current) chosen.setAttribute("aria-current", "true");
    if (unread > 0) {
      const count = unread > 999 ? "999+" : String(unread);
      const badge = make("span", { class: "badge", text: count });
      badge.append(make("span", { class: "unseen", text: " new" }));
      chosen.append(badge);
    }
    return make("li", { class: isJoined ? "" : "gone" }, chosen);
  }
}

export class People {
  #choose;
  #drawn = "";

  /** @param {(name: string) => void} choose */
  constructor(choose) {
    this.#choose = choose;
  }

  /** @param {Chat} chat */
  draw({ current, name: own }) {
    const away = current?.people.away;
    const people = [...(current?.people.names ?? [])];
    people.sort(([one], [other]) => (one < other ? -1 : 1));
    const shown = people.slice(0, MAX_PEOPLE);
    const drawn = JSON.stringify([
      current?.key,
      own,
      people.length,
      shown.map(([key, name]) => [name, away?.get(key)]),
    ]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    part("people-count").textContent = people.length > 0 ? String(people.length) : "";
    const entries = shown.map(([key, name]) => this.#entry(key, name, away?.get(key)));
    if (people.length > shown.length) {
      const text = `and ${(people.length - shown.length).toLocaleString()} more`;
      entries.push(make("li", { class: "more", text }));
    }
    keepingFocus(part("people-panel"), () => part("people").replaceChildren(...entries));
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {string | undefined} away
   * @returns {HTMLElement}
   */
  #entry(key, name, away) {
    const chosen = make("button", {
      attributes: {
        type: "button",
        "data-key": key,
        "aria-haspopup": "dialog",
      },
      click: () => this.#choose(name),
    });
    chosen.append(faceOf(name), make("bdi", { text: inLine(name) }));
    if (away !== undefined) {
      chosen.append(
        make("span", {
          class: "away",
          text: "away",
          attributes: { title: inLine(away) },
        }),
      );
    }
    return make("li", {}, chosen);
  }
}

/**
 * @param {string} name
 * @returns {HTMLElement}
 */
function faceOf(name) {
  const look = {
    class: `small-face ${hueOf(name)}`,
    text: initial(inLine(name)),
  };
  return make("span", { ...look, attributes: { "aria-hidden": "true" } });
}

/**
 * Draw a list again; the keyboard stays where it was.
 *
 * @param {HTMLElement} panel
 * @param {() => void} draw
 */
function keepingFocus(panel, draw) {
  const focused = document.activeElement;
  const key = panel.contains(focused) ? focused?.getAttribute("data-key") : null;
  draw();
  if (!key) return;
  const again = [...panel.querySelectorAll("[data-key]")].find(
    (each) => each.getAttribute("data-key") === key,
  );
  if (again instanceof HTMLElement) again.focus();
}
