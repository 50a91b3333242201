/** Names of people and rooms: which of them are the same. */

// Variation selectors, which the server removes from names.
const VARIATIONS = /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

/**
 * Return the same text for all names that are the same: composed, and case-folded as far as
 * JavaScript can. A lower-case dotless i is no other i, as in Unicode's case folding.
 *
 * @param {string} name
 * @returns {string}
 */
export function fold(name) {
  const composed = name.normalize("NFC").replace(VARIATIONS, "");
  return Array.from(composed, foldCharacter).join("").normalize("NFC");
}

/**
 * @param {string} character
 * @returns {string}
 */
function foldCharacter(character) {
  if (character === "ı") return character;
  return character.toLowerCase().toUpperCase().toLowerCase();
}
