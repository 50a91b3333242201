/** What keeps a client connected, alone. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatError } from "../../../chatd/web/page/chatd/errors.js";
import { backoff, Keeper } from "../../../chatd/web/page/chatd/keeper.js";
import { importKeys } from "../../../chatd/web/page/chatd/keys.js";
import { Session } from "../../../chatd/web/page/chatd/session.js";
import { Clock } from "./peer.js";

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
