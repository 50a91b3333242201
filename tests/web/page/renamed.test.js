/** A client with another name, which has other direct messages. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, settled, start } from "./clients.js";
import { nextEvent, nextState, said } from "./peer.js";

const EARLIER = { with: "bob", epoch: "d", seq: 7, last_id: "bob-7" };
const direct = (seq, to) => said("bob", seq, { room: undefined, to });

/** Give a client another name; its server's question for direct messages is not answered yet. */
async function rename(client, peer, name) {
  const renamed = client.command("name", { name });
  const { header } = await peer.next();
  assert.equal(header.command, "name");
  await peer.send(Type.RESULT, { id: header.id, name });
  await renamed;
}

async function refuseConversations(client, peer) {
  const { header } = await peer.next();
  assert.equal(header.command, "conversations");
  const told = nextEvent(client, "error");
  await peer.send(Type.ERROR, { code: "not-stored", message: "no", ref: header.id });
  assert.equal((await told).code, "not-stored");
}

test("what was said to a name before the client took it is no news", async () => {
  const { client, peer, texts } = await established();
  await rename(client, peer, "al");
  await peer.answerConversations([EARLIER]);
  await settled(peer); // with a pong, and no `history` before it
  await peer.send(Type.MESSAGE, direct(8, "al"), "8");
  await settled(peer);
  assert.deepEqual(texts(), ["8"]);
});

/** The gaps that a client told, each as the person with whom messages may be missing. */
function gapsOf(events) {
  const told = events.filter(([type, { with: other }]) => type === "recovered" && other);
  return told.map(([, detail]) => detail);
}

test("places that the server did not tell are told as a gap in the next session", async () => {
  const started = await established();
  const { client, peer, texts, events } = started;
  await rename(client, peer, "al");
  await peer.send(Type.MESSAGE, said("carol", 2, { room: undefined, to: "al" }), "2");
  await refuseConversations(client, peer);
  const again = await back(started, peer, "al");
  const open = nextState(client, "open");
  await again.answerConversations([
    EARLIER,
    { with: "carol", epoch: "d", seq: 2, last_id: "carol-2" },
  ]);
  const { header } = await again.next(); // the place of carol's last message is known
  assert.deepEqual([header.command, header.with, header.after], ["history", "carol", 2]);
  const result = { id: header.id, epoch: "d", count: 0, complete: true, recovered: true };
  await again.send(Type.RESULT, result);
  await open;
  assert.deepEqual(gapsOf(events), [{ with: "bob", recovered: false }]);
  await again.send(Type.MESSAGE, direct(8, "al"), "8");
  await settled(again); // with a pong, and no `history` before it
  assert.deepEqual(texts(), ["2", "8"]);
  const third = await back(started, again, "al");
  await third.answerConversations([{ ...EARLIER, seq: 9, last_id: "bob-9" }]);
  assert.equal((await third.next()).header.after, 8); // the place is known now
  assert.equal(gapsOf(events).length, 1);
});

for (const [what, fail] of [
  ["refused", (client, peer) => refuseConversations(client, peer)],
  ["lost with the session", (_, peer) => peer.next()],
]) {
  test(`so are those of the first session, if the list was ${what}`, async () => {
    const started = start({ persist: true });
    const { client, texts, events } = started;
    const peer = await started.network.nextPeer();
    await peer.welcome();
    await fail(client, peer);
    const again = await back(started, peer);
    const open = nextState(client, "open");
    await again.answerConversations([EARLIER]);
    await settled(again); // with a pong, and no `history` before it
    await open;
    assert.deepEqual(gapsOf(events), [{ with: "bob", recovered: false }]);
    assert.deepEqual(texts(), []);
  });
}

test("a session with another name takes that name's places, and tells no gap", async () => {
  const started = await established();
  const { client, peer, texts, events } = started;
  await peer.send(Type.MESSAGE, direct(1, "alice"), "1");
  await settled(peer);
  const again = await back(started, peer, "al");
  const open = nextState(client, "open");
  await again.answerConversations([EARLIER]);
  await settled(again); // with a pong, and no `history` before it
  await open;
  await again.send(Type.MESSAGE, direct(8, "al"), "8");
  await settled(again);
  assert.deepEqual([texts(), gapsOf(events)], [["1", "8"], []]);
});

test("what came between two sessions is news if the list of the second was refused", async () => {
  const started = await established();
  const again = await back(started);
  await refuseConversations(started.client, again);
  const third = await back(started, again);
  await third.answerConversations([EARLIER]);
  const { header } = await third.next();
  assert.deepEqual([header.command, header.with, header.after], ["history", "bob", 0]);
  assert.deepEqual(gapsOf(started.events), []);
});

test("another spelling of the same name has the same direct messages", async () => {
  const { client, peer, texts } = await established();
  await peer.send(Type.MESSAGE, direct(1, "alice"), "1");
  await settled(peer);
  await rename(client, peer, "Alice");
  assert.equal(client.name, "Alice");
  await settled(peer); // with a pong, and no `conversations` before it
  await peer.send(Type.MESSAGE, direct(3, "Alice"), "3");
  const { header } = await peer.next();
  assert.deepEqual([header.command, header.with, header.after], ["history", "bob", 1]);
  assert.deepEqual(texts(), ["1"]);
});
