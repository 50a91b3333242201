/** What a scripted server does while its store fails, and what its client sends. */

import assert from "node:assert/strict";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, settled } from "./clients.js";

export const MESSAGE = "the store does not work now";

/** Refuse a message. */
export function refuseFor(code, peer, ref) {
  return peer.send(Type.ERROR, { code, message: MESSAGE, ref });
}

/** Refuse a message as a server does whose store fails; the client sends nothing at once. */
export async function refuse(peer, ref) {
  await refuseFor("not-stored", peer, ref);
  await settled(peer);
}

/** Confirm messages. */
export async function confirm(peer, ...ids) {
  for (const [index, id] of ids.entries()) await peer.say("alice", index + 1, id, { id });
}

/** Check which messages a client sends next. */
export async function sends(peer, ...ids) {
  for (const id of ids) {
    const { type, header } = await peer.next();
    assert.deepEqual([type, header.id], [Type.MESSAGE, id]);
  }
}

/** Check that a client sends nothing: a pong comes, and no message before it. */
export const nothing = settled;

/** Let time pass, in which a client sends nothing but pongs. */
export async function pass({ clock }, peer, seconds) {
  await settled(peer);
  for (let left = seconds; left > 0; left -= 5) {
    clock.advance(Math.min(5, left));
    await settled(peer);
  }
}

/** Wait for the next attempt, which must be after so many seconds and with the given messages. */
export async function attempt(started, peer, seconds, ...ids) {
  await pass(started, peer, seconds - 0.1);
  started.clock.advance(0.1);
  await sends(peer, ...ids);
  await nothing(peer);
}

/** A client whose message `a` is refused, and which holds the others; and what becomes of them. */
export async function inOutage(held, options) {
  const started = await established(options);
  const { client, peer } = started;
  const receipts = { a: client.send("a", { id: "a" }) };
  await sends(peer, "a");
  await refuse(peer, "a");
  for (const id of held) receipts[id] = client.send(id, { id });
  await nothing(peer);
  return { ...started, receipts };
}
