/**
 * chatd's client in JavaScript, for browsers and for Node 22 or newer. Everything that a program
 * needs is exported here; `docs/reference/javascript.md` describes it.
 */

export { ChatClient, connect } from "./client.js";
export { ChatError, LOCAL_CODES } from "./errors.js";
export { parseLink } from "./links.js";
