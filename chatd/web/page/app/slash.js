/** Lines that begin with a slash, as at the terminal. Pure: no DOM. */

/**
 * @typedef {{kind: "text", text: string} | {kind: "message", name: string, text: string} |
 *   {kind: "join", room: string} | {kind: "leave"} | {kind: "unknown"}} Line
 */

/**
 * Return what a person means by a line.
 *
 * @param {string} text
 * @returns {Line}
 */
export function readLine(text) {
  if (text.startsWith("//")) return { kind: "text", text: text.slice(1) };
  if (!/^\/[a-z]/i.test(text) || /^\/me\s+\S/.test(text)) return { kind: "text", text };
  const message = /^\/msg\s+(\S+)\s+(\S[^]*)$/.exec(text);
  if (message !== null) return { kind: "message", name: message[1], text: message[2] };
  const join = /^\/join\s+(\S+)\s*$/.exec(text);
  if (join !== null) return { kind: "join", room: join[1] };
  return { kind: /^\/leave\s*$/.test(text) ? "leave" : "unknown" };
}
