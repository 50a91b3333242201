/** Making and finding elements. What others say comes in as text only: never as HTML. */

/**
 * @typedef {object} Look
 * @property {string} [class]
 * @property {string} [text]
 * @property {Record<string, string>} [attributes]
 * @property {(event: Event) => void} [click]
 */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Look} [look]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, look = {}, ...children) {
  const element = document.createElement(tag);
  if (look.class) element.className = look.class;
  if (look.text !== undefined) element.textContent = look.text;
  for (const [name, value] of Object.entries(look.attributes ?? {})) {
    element.setAttribute(name, value);
  }
  if (look.click) element.addEventListener("click", look.click);
  element.append(...children);
  return element;
}

/**
 * Make a button that submits nothing.
 *
 * @param {string} text
 * @param {(event: Event) => void} click
 * @param {string} [look] Its class.
 * @returns {HTMLButtonElement}
 */
export function button(text, click, look = "") {
  return make("button", {
    class: look,
    text,
    click,
    attributes: { type: "button" },
  });
}

/**
 * Find an element of the page by its id.
 *
 * @param {string} id
 * @returns {any}
 */
export function part(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * Return the first letter of a name, as a person reads letters.
 *
 * @param {string} name
 * @returns {string}
 */
export function initial(name) {
  if (typeof Intl.Segmenter === "function") {
    for (const { segment } of new Intl.Segmenter().segment(name)) return segment.toUpperCase();
  }
  return (Array.from(name)[0] ?? "").toUpperCase();
}
