/** Links: `https://HOST/#key=KEY&room=ROOM`. What follows `#` never leaves the browser. */

import { ChatError } from "./errors.js";
import { readKey } from "./keys.js";

/** @type {Record<string, string>} */
const SOCKET_PROTOCOLS = { "https:": "wss:", "http:": "ws:", "wss:": "wss:", "ws:": "ws:" };

/**
 * Take a link apart.
 *
 * @param {string} link The link to a page, or the address of its WebSocket.
 * @returns {{url: string, key: string | null, room: string | null}} The address for `connect`, and
 *   the key and the room, if the link has them.
 * @throws {ChatError} `bad-link`, or `bad-key`.
 */
export function parseLink(link) {
  const parsed = parseUrl(link);
  const protocol = SOCKET_PROTOCOLS[parsed.protocol];
  if (protocol === undefined) throw badLink("it does not begin with https://");
  const isPage = parsed.protocol.startsWith("http");
  const path = isPage ? new URL("ws", `http://host${parsed.pathname}`).pathname : parsed.pathname;
  const given = parseFragment(parsed.hash.slice(1));
  const key = given.get("key") || null;
  if (key !== null) readKey(key).fill(0);
  return { url: `${protocol}//${parsed.host}${path}`, key, room: given.get("room") || null };
}

/**
 * Return the address of a chat as errors name it: without what may be secret, such as a key behind
 * `#`, a password before `@`, or a query.
 *
 * @param {string} url
 * @returns {string}
 * @throws {ChatError} `bad-address`
 */
export function publicAddress(url) {
  let parsed;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch {
    throw badAddress(); // the reason would have all of the address
  }
  const { protocol, host, pathname, hash } = parsed;
  if (!Object.hasOwn(SOCKET_PROTOCOLS, protocol) || hash !== "") throw badAddress();
  return `${protocol}//${host}${pathname}`;
}

/** @returns {ChatError} */
function badAddress() {
  const told = "it must be ws://HOST/ws or wss://HOST/ws, without # (parseLink takes a link apart)";
  return new ChatError("bad-address", `that is no address of a chat: ${told}`);
}

/**
 * @param {string} link
 * @returns {URL}
 */
function parseUrl(link) {
  try {
    return new URL(link);
  } catch (error) {
    throw badLink("it is no URL", error);
  }
}

/**
 * @param {string} fragment
 * @returns {Map<string, string>} A plus stays a plus, unlike in `URLSearchParams`.
 */
function parseFragment(fragment) {
  try {
    const pairs = fragment.split("&").map((pair) => pair.split("="));
    return new Map(pairs.map(([name, ...rest]) => [name, decodeURIComponent(rest.join("="))]));
  } catch (error) {
    throw badLink("what follows # is not percent-encoded", error);
  }
}

/**
 * @param {string} why
 * @param {unknown} [cause]
 * @returns {ChatError}
 */
function badLink(why, cause) {
  return new ChatError("bad-link", `that is no link to a chat: ${why}`, { cause });
}
