/** Clients with a scripted server. */

import assert from "node:assert/strict";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { Clock, makeNetwork } from "./peer.js";

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
