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

test("it is no news either if the server could not tell it in the session of the name", async () => {
  const started = await established();
  const { client, peer, texts } = started;
  await rename(client, peer, "al");
  await refuseConversations(client, peer);
  const again = await back(started);
  const open = nextState(client, "open");
  await again.answerConversations([EARLIER]);
  await settled(again); // with a pong, and no `history` before it
  await open;
  await again.send(Type.MESSAGE, direct(8, "al"), "8");
  await settled(again);
  assert.deepEqual(texts(), ["8"]);
});

test("nor if it could not tell it in the first session", async () => {
  const started = start();
  const { client, texts } = started;
  const peer = await started.network.nextPeer();
  await peer.welcome();
  await refuseConversations(client, peer);
  await client.welcomed;
  const again = await back(started, peer);
  const open = nextState(client, "open");
  await again.answerConversations([EARLIER]);
  await settled(again);
  await open;
  assert.deepEqual(texts(), []);
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
