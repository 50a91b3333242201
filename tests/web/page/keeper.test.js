/** What keeps a client connected, alone. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatError } from "../../../chatd/web/page/chatd/errors.js";
import { backoff, Keeper } from "../../../chatd/web/page/chatd/keeper.js";
import { importKeys } from "../../../chatd/web/page/chatd/keys.js";
import { Session } from "../../../chatd/web/page/chatd/session.js";
import { back, established, lost } from "./clients.js";
import { Clock, nextState } from "./peer.js";

test("the wait has a random part, from half of it to half more", () => {
  for (const [failures, random, seconds] of [
    [1, 0, 0.25],
    [1, 0.5, 0.5],
    [1, 1, 0.75],
    [3, 0, 1],
    [99, 0, 15],
    [99, 1, 45],
  ]) {
    assert.equal(backoff(failures, random), seconds);
  }
});

test("the waits begin anew after a session of 10 seconds, and not before", async () => {
  const started = await established();
  const { client, clock } = started;
  const waits = [];
  client.addEventListener("state", ({ detail: { state, error } }) => {
    if (state === "waiting") waits.push(error.retryAfter);
  });
  let { peer } = started;
  for (const seconds of [0, 9.9, 10]) {
    clock.advance(seconds);
    peer = await back(started, peer);
    await peer.answerConversations();
    if (client.state !== "open") await nextState(client, "open");
  }
  await lost(started, peer);
  assert.deepEqual(waits, [0.5, 1, 0.5, 1]);
});

test("a client that ends before it has its keys connects no more", async () => {
  for (const isEnded of [false, true]) {
    let sockets = 0;
    class CountedSocket {
      constructor() {
        sockets += 1;
      }
    }
    const clock = new Clock();
    const options = { url: "ws://host/ws", socketClass: CountedSocket, clock, network: null };
    const keeper = new Keeper(
      { ...options, reconnects: true, persists: true },
      { makeSession: () => new Session({}), stateChanged: () => {}, lost: () => {} },
    );
    if (isEnded) keeper.end(new ChatError("goodbye", "over"));
    keeper.begin(await importKeys(null));
    assert.equal(sockets, isEnded ? 0 : 1);
  }
});
