/**
 * Resuming: joining the rooms again, and fetching the missed messages.
 *
 * What an answer says is noted as soon as the answer is read (in `read` below), before the messages
 * that follow it: a promise would be too late.
 */

import { ChatError } from "./errors.js";
import { checkFields, CONVERSATION } from "./fields.js";
import { MAX_PAGE } from "./limits.js";
import { readPages } from "./lists.js";
import { makePosition, moveTo } from "./progress.js";
import { fold } from "./names.js";
import { TEMPORARY } from "./refusals.js";

/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./progress.js").ChatMessage} ChatMessage */
/** @typedef {import("./progress.js").Position} Position */
/** @typedef {import("./progress.js").Progress} Progress */

/**
 * @typedef {object} JoinedRoom
 * @property {string} room
 * @property {string} epoch
 * @property {number} seq
 * @property {string | null} lastId
 * @property {number | null} members
 * @property {string | null} topic
 * @property {boolean} recovered
 */

/**
 * @typedef {object} JoinedFields The fields of `JOINED`, checked.
 * @property {string} room
 * @property {string} epoch
 * @property {number} seq
 * @property {string | null} [last_id]
 * @property {number | null} [members]
 * @property {string | null} [topic]
 * @property {boolean | null} [recovered]
 */

/**
 * @typedef {object} HistoryPage
 * @property {ChatMessage[]} messages In the order of `seq`.
 * @property {string} epoch
 * @property {boolean} complete Whether the page has all that was asked for.
 * @property {boolean | null} recovered
 */

/** @typedef {{after?: number | null, epoch?: string | null, afterId?: string | null}} Place */

/**
 * Reads the direct messages after a position.
 *
 * @callback ReadDirect
 * @param {Position} position
 * @param {number} limit
 * @param {(page: HistoryPage) => void} read
 * @returns {Promise<unknown>}
 */

/**
 * @typedef {object} Resumable What resuming needs of a client.
 * @property {(room: string, place?: Place) => Promise<JoinedRoom>} join
 * @property {ReadDirect} read
 * @property {(command: string, fields: Fields) => Promise<Fields>} command
 * @property {(message: ChatMessage) => void} receive Takes a message like a new one.
 * @property {() => boolean} isOver Whether the session is over.
 * @property {(joined: JoinedRoom) => void} tellJoined
 * @property {() => void} tellRooms
 * @property {(place: {room?: string, with?: string}, recovered: boolean) => void} tellRecovered
 * @property {(error: ChatError) => void} tellError
 */

/**
 * Join the rooms of the last session again, after the welcome.
 *
 * @param {Resumable} client
 * @param {Progress} progress
 * @param {Fields[]} told The rooms that the welcome tells.
 * @throws {ChatError} A room cannot be joined now; another session may do it.
 */
export async function rejoin(client, progress, told) {
  const inside = enter(client, progress, told);
  const positions = [...progress.rooms].filter(([key]) => !inside.has(key)).map(([, each]) => each);
  const joining = positions.map(async (position) => {
    const { name, seq, epoch, id } = position;
    if (seq === null) return void (await client.join(name));
    const { recovered } = await client.join(name, { after: seq, epoch, afterId: id });
    client.tellRecovered({ room: name }, recovered);
  });
  /** @type {ChatError | null} */
  let temporary = null;
  for (const [index, { status, reason }] of (await settled(joining)).entries()) {
    if (status === "fulfilled") continue;
    if (!isRefusal(client, reason)) throw reason; // the next session joins the rooms
    if (TEMPORARY.has(reason.code)) {
      temporary = reason;
    } else {
      const { name } = positions[index];
      const error = naming(name, reason);
      progress.left(name);
      progress.pending.refuse(name, error);
      client.tellRooms();
      client.tellError(error);
    }
  }
  if (temporary !== null) throw temporary;
}

/**
 * @param {Resumable} client
 * @param {unknown} error
 * @returns {error is ChatError} Whether the session goes on after the error.
 */
function isRefusal(client, error) {
  return error instanceof ChatError && !client.isOver();
}

/**
 * @param {string} room
 * @param {ChatError} error The refusal of a `join` that nobody waits for.
 * @returns {ChatError} The refusal, with the name of the room.
 */
function naming(room, error) {
  if (fold(error.message).split(/\s+/).includes(fold(room))) return error;
  const told = `cannot enter ${room}: ${error.message}`;
  return new ChatError(error.code, told, { ref: error.ref });
}

/**
 * @param {Promise<void>[]} promises
 * @returns {Promise<{status: string, reason?: any}[]>}
 */
function settled(promises) {
  return Promise.allSettled(promises);
}

/**
 * Note the rooms that the welcome tells.
 *
 * @param {Resumable} client
 * @param {Progress} progress
 * @param {Fields[]} told
 * @returns {Set<string>} The folded names of the rooms that need no `join`.
 */
function enter(client, progress, told) {
  /** @type {Set<string>} */
  const inside = new Set();
  for (const fields of told) {
    const joined = joinedRoom(fields);
    const there = progress.rooms.get(fold(joined.room));
    if (there !== undefined && there.seq !== null) continue; // a `join` brings what was missed
    progress.joined(joined.room, joined.epoch, joined.seq, joined.lastId);
    inside.add(fold(joined.room));
    client.tellJoined(joined);
  }
  return inside;
}

/**
 * @param {Fields} fields Checked with `JOINED`.
 * @returns {JoinedRoom}
 */
export function joinedRoom(fields) {
  const { room, epoch, seq, last_id, members, topic, recovered } = /** @type {JoinedFields} */ (
    /** @type {unknown} */ (fields)
  );
  return {
    room,
    epoch,
    seq,
    lastId: last_id ?? null,
    members: members ?? null,
    topic: topic ?? null,
    recovered: recovered ?? false,
  };
}

/**
 * Fetch the missed direct messages. If their places could not be learnt in an earlier session of the
 * name, some may be missing, which the program is told.
 *
 * @param {Resumable} client
 * @param {Progress} progress
 * @param {boolean} isKept Whether the client had its name in an earlier session: if not, the earlier
 *   messages to that name are not news.
 */
export async function catchUp(client, progress, isKept) {
  const before = [...progress.direct.keys()];
  let conversations;
  try {
    conversations = await readConversations(client);
  } catch (error) {
    if (!isRefusal(client, error)) throw error;
    // A server that cannot read now may do it in the next session; a service may lack the command.
    if (error.code !== "unknown-command") client.tellError(error);
    return;
  }
  const there = new Set(conversations.map((each) => fold(each.with)));
  for (const key of before) {
    if (!there.has(key)) progress.direct.delete(key); // nothing is stored: a new epoch may begin
  }
  for (const { with: other, epoch, seq, lastId } of conversations) {
    const key = fold(other);
    let position = progress.direct.get(key);
    if (position === undefined) {
      const isNew = progress.knowsDirect;
      position = isNew ? makePosition(other, epoch, 0) : makePosition(other, epoch, seq, lastId);
      progress.direct.set(key, position);
      if (isKept && !isNew) client.tellRecovered({ with: other }, false);
    }
    if (!isAt(position, epoch, seq, lastId)) await fetchMissing(client, position);
  }
  progress.knowsDirect = true;
}

/**
 * @param {Resumable} client
 * @returns {Promise<{with: string, epoch: string, seq: number, lastId: string | null}[]>}
 */
async function readConversations(client) {
  const all = [];
  for await (const { conversations } of readPages(client.command, "conversations", {})) {
    if (!Array.isArray(conversations)) {
      throw new ChatError("bad-request", "conversations must be a list");
    }
    for (const each of conversations) {
      checkFields(Object(each), CONVERSATION);
      all.push({ with: each.with, epoch: each.epoch, seq: each.seq, lastId: each.last_id ?? null });
    }
  }
  return all;
}

/**
 * Fetch the direct messages after a position.
 *
 * @param {Resumable} client
 * @param {Position} position
 */
export async function fetchMissing(client, position) {
  let isComplete = false;
  let hasRestarted = false;
  /** @param {HistoryPage} page */
  const read = (page) => {
    const before = position.seq;
    position.epoch = page.epoch;
    if (!page.recovered) {
      if (hasRestarted) throw new ChatError("bad-request", "the server's history does not advance");
      hasRestarted = true;
      client.tellRecovered({ with: position.name }, false);
      const first = page.messages.length > 0 ? page.messages[0].seq : null;
      moveTo(position, (first ?? 1) - 1, null);
    }
    for (const message of page.messages) client.receive(message);
    isComplete = page.complete || position.seq === before;
    if (isComplete) position.isFilling = false;
  };
  position.isFilling = true;
  try {
    while (!isComplete) await client.read(position, MAX_PAGE, read);
  } catch (error) {
    if (!isRefusal(client, error)) throw error;
    client.tellError(error); // the next message, or the next session, brings another attempt
  } finally {
    position.isFilling = false;
  }
}

/**
 * @param {Position} position
 * @param {string} epoch
 * @param {number} seq
 * @param {string | null} id
 * @returns {boolean}
 */
function isAt(position, epoch, seq, id) {
  const hasId = position.id === null || id === null || position.id === id;
  return position.epoch === epoch && position.seq === seq && hasId;
}
