/** Answers that a client in an outage of the server's store does not expect. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { back, established, settled, start } from "./clients.js";
import { attempt, confirm, inOutage, nothing, refuse, refuseFor, sends } from "./outages.js";

test("a refusal of a message that waits changes nothing", async () => {
  const started = await inOutage(["b"]);
  const { client, peer } = started;
  await refuse(peer, "b");
  await refuse(peer, "a");
  await attempt(started, peer, 1, "a");
  await refuse(peer, "b");
  assert.equal(client.unconfirmed, 2);
  await refuse(peer, "a");
  await attempt(started, peer, 2, "a");
});

test("a refusal of a message that another session sent keeps it for this one", async () => {
  const started = await established();
  const { client, peer } = started;
  void client.send("a", { id: "a" });
  await sends(peer, "a");
  const again = await back(started);
  await refuseFor("not-stored", again, "a");
  await again.answerConversations();
  await sends(again, "a");
});

test("a receipt of a message that waits brings the next attempt at once", async () => {
  const started = await inOutage(["b", "c"]);
  const { clock, peer, receipts } = started;
  await confirm(peer, "a");
  await sends(peer, "b");
  assert.equal((await receipts.a).id, "a");
  await settled(peer);
  assert.deepEqual(clock.waiting, [5, 60]); // the heartbeat, and the patience
  await confirm(peer, "b");
  await sends(peer, "c");
});

test("another refusal of a message that waits brings none", async () => {
  const started = await inOutage(["b"]);
  const { peer, receipts } = started;
  await refuseFor("not-in-room", peer, "a");
  await assert.rejects(receipts.a, { code: "not-in-room" });
  await attempt(started, peer, 1, "b");
});

for (const [what, answer] of [
  ["receipt", (peer) => confirm(peer, "a")],
  ["refusal", (peer) => refuseFor("not-in-room", peer, "a")],
]) {
  test(`if no message waits after a ${what}, the outage is over at once`, async () => {
    const { client, clock, peer } = await inOutage([]);
    await answer(peer);
    await settled(peer);
    assert.deepEqual([client.unconfirmed, clock.waiting], [0, [5]]);
    for (const id of ["b", "c"]) void client.send(id, { id });
    await sends(peer, "b", "c");
  });
}

test("a receipt of the last message that waits ends the outage before the other answers", async () => {
  const started = await inOutage(["b"]);
  const { client, peer } = started;
  await attempt(started, peer, 1, "a");
  await confirm(peer, "b");
  await settled(peer);
  void client.send("c", { id: "c" });
  await sends(peer, "c");
});

test("a goodbye that waits goes out with the receipt of the last message", async () => {
  const { client, clock, peer } = await inOutage([]);
  const closed = client.close();
  await confirm(peer, "a");
  assert.equal((await peer.next()).header.code, "goodbye");
  await closed;
  assert.deepEqual(clock.waiting, []);
});

/** A client in an outage; behind its message `a` waits one that this server never takes. */
async function withTooLarge() {
  const { client, clock, network } = start();
  const peer = await network.nextPeer();
  await peer.establish({ init: { max_content: 5 } });
  await client.welcomed;
  void client.send("a", { id: "a" });
  await sends(peer, "a");
  await refuse(peer, "a");
  return { client, clock, large: client.send("six ch", { id: "b" }), peer };
}

test("a message that is too large for the server is refused, and the next is tried", async () => {
  const { client, clock, large, peer } = await withTooLarge();
  const after = large.catch(() => client.send("e", { id: "e" }));
  for (const id of ["c", "d"]) void client.send(id, { id });
  await confirm(peer, "a"); // so that the large one is the first
  await sends(peer, "c");
  await nothing(peer);
  await assert.rejects(large, { code: "too-large" });
  await confirm(peer, "c");
  await sends(peer, "d", "e");
  await confirm(peer, "d", "e");
  assert.equal((await after).id, "e");
  await settled(peer);
  assert.deepEqual(clock.waiting, [5]);
});

test("if only such messages wait, the outage is over", async () => {
  const { client, clock, large, peer } = await withTooLarge();
  await confirm(peer, "a");
  await assert.rejects(large, { code: "too-large" });
  void client.send("c", { id: "c" });
  await sends(peer, "c");
  await settled(peer);
  assert.deepEqual(clock.waiting, [5]);
});
