/** `Memory`: what the browser keeps for the person, only if the person asks for it. */

const PLACE = "chatd";

/**
 * @typedef {object} Kept
 * @property {string} name
 * @property {string} key
 * @property {string[]} rooms
 * @property {boolean} hasPassword Whether joining needs a password, which is not kept.
 */

export class Memory {
  #storage;

  /** @param {Storage | null} storage Null where the browser has none for the page. */
  constructor(storage) {
    this.#storage = storage;
  }

  /** @returns {Kept | null} */
  read() {
    try {
      const kept = JSON.parse(this.#storage?.getItem(PLACE) ?? "null");
      if (kept === null || typeof kept !== "object") return null;
      const rooms = Array.isArray(kept.rooms) ? kept.rooms.map(String) : [];
      return {
        name: String(kept.name ?? ""),
        key: String(kept.key ?? ""),
        rooms,
        hasPassword: kept.hasPassword === true,
      };
    } catch {
      return null;
    }
  }

  /** @param {Kept} kept */
  write(kept) {
    try {
      this.#storage?.setItem(PLACE, JSON.stringify(kept));
    } catch {
      // The browser keeps nothing for this page; the person enters it again.
    }
  }

  forget() {
    try {
      this.#storage?.removeItem(PLACE);
    } catch {
      // Then nothing is kept.
    }
  }
}

/**
 * @param {"localStorage" | "sessionStorage"} kind The second ends with the tab.
 * @returns {Storage | null} The browser's storage; some settings make even looking at it an error.
 */
export function browserStorage(kind) {
  try {
    return globalThis[kind];
  } catch {
    return null;
  }
}
