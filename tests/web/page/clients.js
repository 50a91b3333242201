/** Clients with a scripted server. */

import assert from "node:assert/strict";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { Clock, makeNetwork, nextState, place } from "./peer.js";

/** A client whose socket is not open yet, and all that it tells. */
export function start(options = {}, serverKey = null) {
  const network = makeNetwork(serverKey);
  const clock = new Clock();
  const client = connect("ws://host/ws", { clock, WebSocket: network.WebSocket, ...options });
  const events = [];
  for (const type of ["message", "state", "joined", "left", "recovered", "error", "rooms"]) {
    client.addEventListener(type, ({ detail }) => events.push([type, detail]));
  }
  const texts = () => events.filter(([type]) => type === "message").map(([, each]) => each.text);
  return { client, clock, network, events, texts };
}

/** A client in the room lobby, with its peer. */
export async function established(options = {}, serverKey = null) {
  const started = start(options, serverKey);
  const peer = await started.network.nextPeer();
  const ack = await peer.establish();
  await started.client.welcomed;
  return { ...started, peer, ack };
}

/** Wait until a client has acted on all that its peer sent: it answers the ping after it. */
export async function settled(peer) {
  await peer.send(Type.HEARTBEAT, { n: 99 }, "ping");
  const { type } = await peer.next();
  assert.equal(type, Type.HEARTBEAT);
}

/** Lose a client's session; return the peer of the next one, whose socket is not open yet. */
export async function lost({ client, clock, network }, peer) {
  const waiting = nextState(client, "waiting");
  peer.drop();
  const { error } = await waiting;
  clock.advance(error.retryAfter);
  return network.nextPeer();
}

/** Lose a client's session, and bring the next one to its room again; return its peer. */
export async function back(started, peer = started.peer, name = "alice") {
  const again = await lost(started, peer);
  await again.welcome({ name, rooms: [] });
  const { header } = await again.next();
  assert.equal(header.command, "join");
  const { after: seq, epoch } = header;
  await again.send(Type.RESULT, { id: header.id, ...place("lobby", seq, epoch), recovered: true });
  return again;
}
