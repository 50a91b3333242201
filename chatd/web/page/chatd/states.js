/** The states of a session at the client, of a client, and of an outage of the server's store; each
 * with one table of transitions. */

/** @typedef {"connecting" | "greeting" | "admission" | "established" | "ended"} SessionState */
/** @typedef {"connecting" | "open" | "waiting" | "ended"} ClientState */
/** @typedef {"none" | "refused" | "delayed" | "attempting" | "releasing"} OutageState */

/** @type {Readonly<Record<SessionState, readonly SessionState[]>>} */
export const SESSION_STATES = Object.freeze({
  connecting: ["greeting", "ended"],
  greeting: ["admission", "ended"],
  admission: ["established", "ended"],
  established: ["ended"],
  ended: [],
});

/** @type {Readonly<Record<ClientState, readonly ClientState[]>>} */
export const CLIENT_STATES = Object.freeze({
  connecting: ["open", "waiting", "ended"],
  open: ["waiting", "ended"],
  waiting: ["connecting", "ended"],
  ended: [],
});

/**
 * A message is refused; when all that was sent is answered, the next attempt is delayed. After a
 * minute without a stored message, all that wait are sent a last time.
 *
 * @type {Readonly<Record<OutageState, readonly OutageState[]>>}
 */
export const OUTAGE_STATES = Object.freeze({
  none: ["refused"],
  refused: ["delayed", "releasing", "none"],
  delayed: ["attempting", "releasing", "none"],
  attempting: ["attempting", "refused", "releasing", "none"],
  releasing: ["none"],
});

/**
 * @template {string} State
 * @param {Readonly<Record<State, readonly State[]>>} table
 * @param {State} from
 * @param {State} to
 * @returns {State} The new state.
 */
export function advance(table, from, to) {
  if (!table[from].includes(to)) throw new Error(`no transition from ${from} to ${to}`);
  return to;
}
