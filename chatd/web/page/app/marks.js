/** `Marks`: up to which message the person has read each conversation. */

import { fold } from "../chatd/names.js";

const PLACE = "chatd-read";
/** So many conversations are kept at most. */
const MAX_PLACES = 500;

/** @typedef {import("./conversation.js").Conversation} Conversation */

export class Marks {
  #storage;
  /** What was written last, so that a frame without news writes nothing. */
  #written = "";

  /** @param {Storage | null} storage Null where the browser has none for the page. */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} own This person's name.
   * @param {Conversation} conversation
   * @returns {number | null} The `seq` of the last message that was read; -1: none of this epoch;
   *   null: what was read in this room is unknown.
   */
  read(own, { key, kind, epoch }) {
    const mark = this.#placesOf(own)[key];
    if (!Array.isArray(mark)) return kind === "direct" ? -1 : null;
    return mark[0] === epoch && typeof mark[1] === "number" ? mark[1] : -1;
  }

  /**
   * Note that the person has read all that is here.
   *
   * @param {string} own
   * @param {Conversation} conversation
   */
  write(own, { key, epoch, lastSeq, isRead }) {
    if (!isRead || epoch === null || lastSeq === null) return;
    const written = JSON.stringify([own, key, epoch, lastSeq]);
    if (written === this.#written) return;
    this.#written = written;
    const { [key]: mark, ...others } = this.#placesOf(own);
    if (mark?.[0] === epoch && mark[1] === lastSeq) return;
    const newest = [...Object.entries(others), [key, [epoch, lastSeq]]].slice(-MAX_PLACES);
    try {
      const kept = { name: fold(own), places: Object.fromEntries(newest) };
      this.#storage?.setItem(PLACE, JSON.stringify(kept));
    } catch {
      // The browser keeps nothing for this page.
    }
  }

  forget() {
    this.#written = "";
    try {
      this.#storage?.removeItem(PLACE);
    } catch {
      // Then nothing is kept.
    }
  }

  /**
   * @param {string} own
   * @returns {Record<string, any>} None if they are another person's.
   */
  #placesOf(own) {
    try {
      const kept = JSON.parse(this.#storage?.getItem(PLACE) ?? "null");
      return kept?.name === fold(own) ? Object(kept.places) : {};
    } catch {
      return {};
    }
  }
}
