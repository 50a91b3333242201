/** Positions in direct messages: what a client fetches, and what it does not. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_FILLING } from "../../../chatd/web/page/chatd/limits.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, settled, start } from "./clients.js";
import { nextState, said } from "./peer.js";

const AT_1 = { with: "bob", epoch: "d", seq: 1, last_id: "bob-1" };
const direct = (from, seq, more = {}) => said(from, seq, { room: undefined, to: "alice", ...more });

/** A client whose first session begins with a conversation. */
async function knowing(conversation) {
  const started = start();
  const peer = await started.network.nextPeer();
  await peer.welcome();
  const open = nextState(started.client, "open");
  await peer.answerConversations([conversation]);
  await open;
  return { ...started, peer };
}

test("what was said to the name before its first session is no news", async () => {
  const { peer, texts } = await knowing({ ...AT_1, seq: 7, last_id: "bob-7" });
  await peer.send(Type.MESSAGE, direct("bob", 8), "8");
  await settled(peer); // with a pong, and no `history` before it
  assert.deepEqual(texts(), ["8"]);
});

test("a conversation that began while the client was away is news from its beginning", async () => {
  const started = await established();
  const again = await back(started);
  await again.answerConversations([AT_1]);
  const { header } = await again.next();
  assert.deepEqual(
    [header.command, header.with, header.after, header.epoch],
    ["history", "bob", 0, "d"],
  );
});

test("another epoch, place or id is a reason to fetch, and the same is none", async () => {
  for (const [change, isFetched] of [
    [{}, false],
    [{ last_id: undefined }, false],
    [{ last_id: "other" }, true],
    [{ seq: 2 }, true],
    [{ epoch: "e" }, true],
  ]) {
    const started = await knowing(AT_1);
    const again = await back(started);
    await again.answerConversations([{ ...AT_1, ...change }]);
    if (isFetched) {
      const { header } = await again.next();
      assert.deepEqual([header.command, header.after, header.epoch], ["history", 1, "d"]);
      assert.equal(header.after_id, "bob-1");
    } else {
      await settled(again); // with a pong, and no `history` before it
    }
  }
});

test("a gap is fetched once, whatever comes meanwhile", async () => {
  const { peer, texts } = await established();
  for (const seq of [1, 4, 6, 5]) await peer.send(Type.MESSAGE, direct("bob", seq), String(seq));
  const { header } = await peer.next();
  assert.equal(header.after, 1);
  await settled(peer); // with a pong, and no second `history` before it
  assert.deepEqual(texts(), ["1"]);
});

test("gaps beyond a bound wait for their next message", async () => {
  const { peer, texts } = await established();
  const names = Array.from({ length: MAX_FILLING + 1 }, (_, n) => `name-${n}`);
  for (const name of names) {
    for (const seq of [1, 3]) await peer.send(Type.MESSAGE, direct(name, seq), `${name} ${seq}`);
  }
  const asked = [];
  for (const name of names.slice(0, -1)) {
    const { header } = await peer.next();
    assert.deepEqual([header.command, header.with], ["history", name]);
    asked.push(header.id);
  }
  await settled(peer); // with a pong, and no further `history` before it
  const last = names[MAX_FILLING];
  await peer.send(Type.MESSAGE, direct(last, 4), "");
  await settled(peer);
  const [ref] = asked;
  const result = { id: ref, epoch: "d", count: 0, complete: true, recovered: true };
  await peer.send(Type.RESULT, result);
  await settled(peer);
  await peer.send(Type.MESSAGE, direct(last, 5), "");
  const { header } = await peer.next();
  assert.deepEqual([header.command, header.with, header.after], ["history", last, 1]);
  assert.equal(texts().length, names.length);
});
