/** A client that waits, and the event `online` of the network. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { established, start } from "./clients.js";
import { nextState } from "./peer.js";

/** A network that knows who listens. */
class Network extends EventTarget {
  listeners = new Set();

  addEventListener(type, call) {
    this.listeners.add(call);
    super.addEventListener(type, call);
  }

  removeEventListener(type, call) {
    this.listeners.delete(call);
    super.removeEventListener(type, call);
  }

  comeBack() {
    this.dispatchEvent(new Event("online"));
  }
}

const NAMES = ["addEventListener", "removeEventListener"];
afterEach(() => NAMES.forEach((name) => delete globalThis[name]));

test("a client that waits connects as soon as the network is back", async () => {
  const network = new Network();
  const { client, clock, peer, network: sockets } = await established({ network });
  const waiting = nextState(client, "waiting");
  peer.drop();
  await waiting;
  network.comeBack();
  assert.equal(client.state, "connecting");
  assert.ok(clock.waiting.every((seconds) => seconds > 5)); // it does not connect twice
  await sockets.nextPeer();
  await client.close();
});

test("failures without a network do not make the next waits long", async () => {
  const network = new Network();
  const { client, clock, peer, network: sockets } = await established({ network });
  let present = peer;
  const delays = [];
  for (const isBack of [false, false, false, true, false]) {
    const waiting = nextState(client, "waiting");
    present.drop();
    const { error } = await waiting;
    delays.push(error.retryAfter);
    if (isBack) network.comeBack();
    else clock.advance(error.retryAfter);
    present = await sockets.nextPeer();
  }
  assert.deepEqual(delays, [0.5, 1, 2, 4, 0.5]);
  await client.close();
});

test("nothing listens while the client does not wait, and after its end", async () => {
  const network = new Network();
  const { client, peer, network: sockets } = await established({ network });
  assert.equal(network.listeners.size, 0);
  network.comeBack();
  assert.equal(client.state, "open");
  let present = peer;
  for (let n = 0; n < 3; n++) {
    const waiting = nextState(client, "waiting");
    present.drop();
    await waiting;
    assert.equal(network.listeners.size, 1);
    client.retryNow();
    assert.equal(network.listeners.size, 0);
    present = await sockets.nextPeer();
  }
  const waiting = nextState(client, "waiting");
  present.drop();
  await waiting;
  assert.equal(network.listeners.size, 1);
  await client.close();
  assert.equal(network.listeners.size, 0);
});

test("by default, the global object tells, where it has events", async () => {
  const network = new EventTarget();
  for (const name of NAMES) {
    const value = network[name].bind(network);
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  for (const [option, state] of [
    [undefined, "connecting"],
    [null, "waiting"],
  ]) {
    const { client, network: sockets } = start({ persist: true, network: option });
    const waiting = nextState(client, "waiting");
    (await sockets.nextPeer()).drop();
    await waiting;
    network.dispatchEvent(new Event("online"));
    assert.equal(client.state, state);
    await client.close();
  }
});
