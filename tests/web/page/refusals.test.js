/** What a client that comes back does with refusals, and with answers that make no sense. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, lost, settled, start } from "./clients.js";
import { nextEvent, nextState, place, said } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;
const direct = (seq, more = {}) => said("bob", seq, { room: undefined, to: "alice", ...more });

/** Refuse the peer's next command, which must be the given one. */
async function refuse(peer, command, code, message = "no") {
  const { header } = await peer.next();
  assert.equal(header.command, command);
  await peer.send(Type.ERROR, { code, message, ref: header.id });
}

/** Answer a `history` with messages. */
async function answerHistory(peer, messages, more = {}) {
  const { header } = await peer.next();
  assert.equal(header.command, "history");
  const ref = header.id;
  await peer.sendAll(
    ...messages.map((each) => [Type.MESSAGE, { ...each, ref }, String(each.seq)]),
    [
      Type.RESULT,
      { id: ref, epoch: "d", count: messages.length, complete: true, recovered: true, ...more },
    ],
  );
  return header;
}

/** A client that has the first direct message of bob. */
async function withDirect() {
  const started = await established();
  await started.peer.send(Type.MESSAGE, direct(1), "1");
  await settled(started.peer);
  return started;
}

const errorsOf = (events) => events.filter(([type]) => type === "error").map(([, each]) => each);

describe("direct messages that the server cannot read now", () => {
  test("a client without the list of conversations tells it, and begins", async () => {
    for (const code of ["not-stored", "internal-error", "not-allowed"]) {
      const { client, network, events } = start();
      const peer = await network.nextPeer();
      await peer.welcome();
      await refuse(peer, "conversations", code);
      await client.welcomed;
      assert.deepEqual(
        errorsOf(events).map((each) => each.code),
        [code],
      );
      assert.equal(client.state, "open");
    }
  });

  test("a service that lacks the command is no error", async () => {
    const { client, network, events } = start();
    const peer = await network.nextPeer();
    await peer.welcome();
    await refuse(peer, "conversations", "unknown-command");
    await client.welcomed;
    assert.deepEqual(errorsOf(events), []);
  });

  test("the next session fetches what an earlier one could not", async () => {
    for (const refused of ["conversations", "history"]) {
      const started = await withDirect();
      const { client, texts, events } = started;
      const conversations = [{ with: "bob", epoch: "d", seq: 2, last_id: "bob-2" }];
      const second = await back(started);
      if (refused === "history") await second.answerConversations(conversations);
      const open = nextState(client, "open");
      await refuse(second, refused, "not-stored");
      await open;
      assert.deepEqual(
        errorsOf(events).map((each) => each.code),
        ["not-stored"],
      );
      const third = await back(started, second);
      await third.answerConversations(conversations);
      const { after } = await answerHistory(third, [direct(2)]);
      assert.equal(after, 1);
      await nextState(client, "open");
      assert.deepEqual(texts(), ["1", "2"]);
    }
  });

  test("a gap that cannot be filled now is told, and the next message fills it", async () => {
    const { client, peer, texts, events } = await withDirect();
    await peer.send(Type.MESSAGE, direct(3), "3");
    await refuse(peer, "history", "not-stored");
    await settled(peer);
    assert.equal(client.state, "open");
    assert.deepEqual(
      errorsOf(events).map((each) => each.code),
      ["not-stored"],
    );
    await peer.send(Type.MESSAGE, direct(4), "4");
    const { after } = await answerHistory(peer, [direct(2), direct(3), direct(4)]);
    assert.equal(after, 1);
    await settled(peer);
    assert.deepEqual(texts(), ["1", "2", "3", "4"]);
  });

  test("a list that is none keeps the positions, and is told", async () => {
    for (const conversations of [undefined, null, {}, "bob"]) {
      const started = await withDirect();
      const { client, events } = started;
      const again = await back(started);
      const open = nextState(client, "open");
      await again.answerConversations(conversations ?? null);
      await open;
      assert.deepEqual(
        errorsOf(events).map((each) => each.code),
        ["bad-request"],
      );
      await again.send(Type.MESSAGE, direct(3), "3");
      assert.equal((await answerHistory(again, [])).after, 1);
    }
  });
});

describe("pages of missed direct messages", () => {
  test("a page that ends early is followed by another, until one is complete", async () => {
    const started = await withDirect();
    const { client, texts } = started;
    const again = await back(started);
    await again.answerConversations([{ with: "bob", epoch: "d", seq: 4, last_id: "bob-4" }]);
    const open = nextState(client, "open");
    const asked = [
      await answerHistory(again, [direct(2), direct(3)], { complete: false }),
      await answerHistory(again, [direct(4)]),
    ];
    await open;
    assert.deepEqual(
      asked.map(({ after, after_id, epoch, limit }) => [after, after_id, epoch ?? null, limit]),
      [
        [1, "bob-1", null, 500],
        [3, "bob-3", "d", 500],
      ],
    );
    assert.deepEqual(texts(), ["1", "2", "3", "4"]);
  });

  test("an empty page is the last, also if it is not complete", async () => {
    const { peer, texts } = await withDirect();
    await peer.send(Type.MESSAGE, direct(3), "3");
    await answerHistory(peer, [direct(2)], { complete: false });
    await answerHistory(peer, [], { complete: false });
    await settled(peer); // with a pong, and no `history` before it
    assert.deepEqual(texts(), ["1", "2"]);
  });

  test("a page may have 1 MiB and then the longest content, and no more", async () => {
    for (const [last, isGood] of [
      [1000, true],
      [1001, false],
    ]) {
      const { client, network } = start({ maxContent: 1_048_576 });
      const peer = await network.nextPeer();
      await peer.establish();
      await client.welcomed;
      const read = client.history("lobby");
      const { header } = await peer.next();
      const ref = header.id;
      for (const [seq, size] of [1_048_576, 1_047_576, last].entries()) {
        await peer.say("bob", seq + 1, new Uint8Array(size), { ref });
      }
      if (isGood) {
        await peer.send(Type.RESULT, { id: ref, epoch: "e", count: 3, complete: false });
        assert.equal((await read).messages.length, 3);
      } else {
        await assert.rejects(read, { code: "slow-consumer" });
      }
    }
  });

  test("an answer that does not say whether it goes on has a gap", async () => {
    const { client, peer, texts } = await withDirect();
    const told = nextEvent(client, "recovered");
    await peer.send(Type.MESSAGE, direct(4), "4");
    await answerHistory(peer, [direct(3), direct(4)], { recovered: undefined });
    assert.deepEqual(await told, { with: "bob", recovered: false });
    await settled(peer);
    assert.deepEqual(texts(), ["1", "3", "4"]);
  });
});

describe("rooms", () => {
  test("a refused room is told once, with its name, and is no room of the client", async () => {
    for (const [message, expected] of [
      ["it is private", "cannot enter lobby: it is private"],
      ["Lobby is private", "Lobby is private"],
      ["the lobbyists are private", "cannot enter lobby: the lobbyists are private"],
    ]) {
      const started = await established();
      const { client } = started;
      const again = await lost(started, started.peer);
      await again.welcome({ rooms: [] });
      const [told, rooms] = [nextEvent(client, "error"), nextEvent(client, "rooms")];
      await refuse(again, "join", "not-invited", message);
      const { code, message: text } = await told;
      assert.deepEqual([code, text], ["not-invited", expected]);
      assert.deepEqual(await rooms, { rooms: [] });
    }
  });

  test("an end of the session while it comes back is no refusal of its rooms", async () => {
    const end = [Type.DISCONNECT, { code: "shutting-down", reason: "later", retry: true }];
    for (const at of ["join", "conversations", "history"]) {
      const started = await withDirect();
      const { client, clock, events, network } = started;
      const again = at === "join" ? await lost(started, started.peer) : await back(started);
      if (at === "join") {
        await again.welcome({ rooms: [] });
      } else if (at === "history") {
        await again.answerConversations([{ with: "bob", epoch: "d", seq: 2 }]);
      }
      assert.equal((await again.next()).header.command, at);
      const ended = nextState(client, "waiting");
      await again.sendAll(end);
      const { error } = await ended;
      assert.equal(error.code, "shutting-down");
      clock.advance(error.retryAfter);
      const next = await network.nextPeer();
      await next.welcome({ rooms: [] });
      const { header } = await next.next();
      assert.deepEqual([header.command, header.room], ["join", "lobby"], at);
      assert.deepEqual(errorsOf(events), []);
    }
  });
});

describe("a name that is taken", () => {
  test("with persist, the first attempt waits for an old session too", async () => {
    const { client, clock, network } = start({ name: "alice", persist: true });
    for (let attempt = 0; attempt < 3; attempt++) {
      const peer = await network.nextPeer();
      peer.open();
      await peer.send(Type.SESSION_INIT, { session_id: "x" });
      assert.equal((await peer.next()).header.name, "alice");
      const waiting = nextState(client, "waiting");
      await peer.send(Type.ERROR, { code: "name-taken", message: "it is in use" });
      await peer.send(Type.DISCONNECT, { code: "name-taken", reason: "it is in use" });
      const { error } = await waiting;
      assert.deepEqual([error.code, error.retry], ["name-taken", true]);
      clock.advance(error.retryAfter);
    }
    await (await network.nextPeer()).establish();
    assert.equal((await client.welcomed).name, "alice");
  });

  test("an open session that loses its name does not come back to take it", async () => {
    for (const persist of [true, false]) {
      const { client, peer } = await established({ persist });
      const ended = nextState(client, "ended");
      await peer.send(Type.DISCONNECT, { code: "name-taken", reason: "another has it" });
      const { error } = await ended;
      assert.deepEqual([error.code, error.retry, error.retryAfter], ["name-taken", false, null]);
    }
  });
});

describe("a changed password", () => {
  test("the next session logs in with it", async () => {
    const started = start({ name: "alice", password: "old", key: KEY }, readKey(KEY));
    const { client, network } = started;
    const init = { auth: true };
    const peer = await network.nextPeer();
    assert.equal((await peer.establish({ init })).password, "old");
    await client.welcomed;
    const refused = client.command("password", { old: "wrong", new: "never" });
    refused.catch(() => {});
    await refuse(peer, "password", "auth-failed");
    await assert.rejects(refused, { code: "auth-failed" });
    const changed = client.command("password", { old: "old", new: "new" });
    const { header } = await peer.next();
    assert.deepEqual([header.old, header.new], ["old", "new"]);
    await peer.send(Type.RESULT, { id: header.id });
    assert.deepEqual(await changed, {});
    const again = await lost(started, peer);
    assert.equal((await again.welcome({ init, rooms: [] })).password, "new");
  });

  test("it is not sent in the clear", async () => {
    const { client, peer } = await established();
    const changed = client.command("password", { old: "a", new: "b" });
    await assert.rejects(changed, { code: "auth-in-clear", message: /wss:/ });
    await settled(peer); // with a pong, and no `password` before it
  });
});

test("damage is tried again after a good session, and a wrong signature never", async () => {
  const started = await established();
  const { client, clock, network } = started;
  let { peer } = started;
  const damaged = async (at) => {
    const frame = await peer.frame(Type.MESSAGE, said("bob", 1), "x");
    frame[at(frame)] ^= 1;
    peer.sendRaw(frame);
  };
  const last = (frame) => frame.length - 1;
  for (let n = 0; n < 3; n++) {
    for (let half = 0; half < 2; half++) {
      clock.advance(5);
      await settled(peer);
    }
    const waiting = nextState(client, "waiting");
    await damaged(last);
    const { error } = await waiting;
    assert.equal(error.code, "bad-crc");
    clock.advance(error.retryAfter);
    peer = await network.nextPeer();
    await peer.welcome({ rooms: [] });
    const { header } = await peer.next();
    await peer.send(Type.RESULT, { id: header.id, ...place("lobby"), recovered: true });
    const open = nextState(client, "open");
    await peer.answerConversations();
    await open;
  }
  const ended = nextState(client, "ended");
  await damaged(() => 4 + 32); // in the signature
  assert.equal((await ended).error.code, "bad-mac");
});
