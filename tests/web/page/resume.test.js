/** A client that continues where its last session ended. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, lost, settled, start } from "./clients.js";
import { nextEvent, nextState, place, said } from "./peer.js";

describe("resuming", () => {
  test("a lost session is resumed: rooms, missed messages, and what has no receipt", async () => {
    const { client, clock, network, peer, texts, events } = await established();
    await peer.say("bob", 1, "one");
    const sent = client.send("mine", { id: "mine" });
    await peer.next();
    const waiting = nextState(client, "waiting");
    peer.drop();
    assert.equal((await waiting).error.code, "connection-lost");
    const later = client.send("later", { id: "later" });
    clock.advance(1);
    const again = await network.nextPeer();
    const ack = await again.welcome({ rooms: [] });
    assert.equal(ack.name, "alice");
    assert.deepEqual(ack.rooms, []);
    const { header: join } = await again.next();
    assert.deepEqual(
      [join.command, join.room, join.after, join.epoch, join.after_id],
      ["join", "lobby", 1, "e1", "bob-1"],
    );
    const ref = join.id;
    await again.sendAll(
      [Type.RESULT, { id: ref, ...place("lobby", 3), members: 2, topic: "", recovered: true }],
      [Type.MESSAGE, said("bob", 2, { ref }), "two"],
      [Type.MESSAGE, said("alice", 3, { ref, id: "mine" }), "mine"],
      [Type.MESSAGE, said("bob", 4), "four"],
    );
    await again.answerConversations();
    assert.equal((await sent).seq, 3);
    const { header } = await again.next();
    assert.equal(header.id, "later"); // and not the message whose receipt came
    await again.say("alice", 5, "later", { id: "later" });
    assert.equal((await later).seq, 5);
    assert.deepEqual(texts(), ["one", "two", "mine", "four", "later"]);
    const recovered = events.filter(([type]) => type === "recovered").map(([, each]) => each);
    assert.deepEqual(recovered, [{ room: "lobby", recovered: true }]);
  });

  test("a message whose receipt comes with the missed messages is not sent again", async () => {
    const { client, clock, network, peer, texts } = await established();
    const sent = client.send("mine");
    const first = await peer.next();
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header: join } = await again.next();
    await again.send(Type.RESULT, { id: join.id, ...place("lobby", 1), recovered: true });
    await again.say("alice", 1, "mine", { id: first.header.id, ref: join.id });
    await again.answerConversations();
    assert.equal((await sent).seq, 1);
    assert.deepEqual(texts(), ["mine"]);
  });

  test("a session in which nothing came keeps the place of the one before it", async () => {
    const started = await established();
    await started.peer.say("bob", 1, "one");
    await settled(started.peer);
    const again = await back(started);
    const open = nextState(started.client, "open");
    await again.answerConversations();
    await open;
    const third = await lost(started, again);
    await third.welcome({ rooms: [] });
    const { header } = await third.next();
    assert.deepEqual([header.command, header.after, header.after_id], ["join", 1, "bob-1"]);
  });

  test("another epoch says that messages are missing", async () => {
    const { client, clock, network, peer, texts } = await established();
    await peer.say("bob", 7, "old");
    await settled(peer);
    peer.drop();
    await nextState(client, "waiting");
    const recovered = nextEvent(client, "recovered");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header: join } = await again.next();
    await again.sendAll(
      [Type.RESULT, { id: join.id, ...place("lobby", 1, "e2"), recovered: false }],
      [Type.MESSAGE, said("bob", 1, { ref: join.id, id: "new" }), "new"],
    );
    await again.answerConversations();
    assert.deepEqual(await recovered, { room: "lobby", recovered: false });
    await nextState(client, "open");
    assert.deepEqual(texts(), ["old", "new"]);
  });

  test("a message that came already is not told again", async () => {
    const { client, peer, texts } = await established();
    for (const seq of [1, 2, 2, 1, 3]) await peer.say("bob", seq, `${seq}`);
    await nextEvent(client, "message", (each) => each.seq === 3);
    assert.deepEqual(texts(), ["1", "2", "3"]);
  });

  test("a gap in direct messages is filled from history, in order", async () => {
    const { client, peer, texts } = await established();
    const direct = (seq, more = {}) => said("bob", seq, { room: undefined, to: "alice", ...more });
    await peer.send(Type.MESSAGE, direct(1), "1");
    await peer.send(Type.MESSAGE, direct(4), "4");
    const { header } = await peer.next();
    assert.deepEqual(
      [header.command, header.with, header.after, header.after_id],
      ["history", "bob", 1, "bob-1"],
    );
    const ref = header.id;
    await peer.sendAll(
      [Type.MESSAGE, direct(2, { ref }), "2"],
      [Type.MESSAGE, direct(3, { ref }), "3"],
      [Type.MESSAGE, direct(4, { ref }), "4"],
      [Type.RESULT, { id: ref, epoch: "d", count: 3, complete: true, recovered: true }],
      [Type.MESSAGE, direct(5), "5"],
    );
    await nextEvent(client, "message", (each) => each.seq === 5);
    assert.deepEqual(texts(), ["1", "2", "3", "4", "5"]);
  });

  test("missed direct messages are fetched after a lost session", async () => {
    const { client, clock, network, peer, texts } = await established({ rooms: [] });
    const direct = (seq, more = {}) => said("bob", seq, { room: undefined, to: "alice", ...more });
    await peer.send(Type.MESSAGE, direct(1), "1");
    await nextEvent(client, "message");
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header: join } = await again.next();
    await again.send(Type.RESULT, { id: join.id, ...place("lobby"), recovered: true });
    await again.answerConversations([{ with: "bob", epoch: "d", seq: 2, last_id: "bob-2" }]);
    const { header } = await again.next();
    assert.equal(header.after, 1);
    await again.send(Type.MESSAGE, direct(2, { ref: header.id }), "2");
    await again.send(Type.RESULT, {
      id: header.id,
      epoch: "d",
      count: 1,
      complete: true,
      recovered: true,
    });
    await nextState(client, "open");
    assert.deepEqual(texts(), ["1", "2"]);
  });

  test("a room that may not be entered any more is told, and left", async () => {
    const { client, clock, network, peer } = await established();
    peer.drop();
    await nextState(client, "waiting");
    const told = nextEvent(client, "error");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header } = await again.next();
    await again.send(Type.ERROR, { code: "not-invited", message: "it is private", ref: header.id });
    await again.answerConversations();
    assert.match((await told).message, /cannot enter lobby: it is private/);
    await nextState(client, "open");
    assert.deepEqual(client.rooms, []);
  });

  test("a server that cannot store now is tried again", async () => {
    const { client, clock, network, peer } = await established();
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header } = await again.next();
    const waiting = nextState(client, "waiting");
    await again.send(Type.ERROR, { code: "not-stored", ref: header.id });
    assert.equal((await waiting).error.code, "not-stored");
    assert.deepEqual(client.rooms, ["lobby"]);
  });

  test("a second gap, right behind the page that filled the first, is filled too", async () => {
    const { client, peer, texts } = await established();
    const direct = (seq, more = {}) => said("bob", seq, { room: undefined, to: "alice", ...more });
    await peer.sendAll([Type.MESSAGE, direct(1), "1"], [Type.MESSAGE, direct(3), "3"]);
    const { header: first } = await peer.next();
    const page = { epoch: "d", complete: true, recovered: true };
    await peer.sendAll(
      [Type.MESSAGE, direct(2, { ref: first.id }), "2"],
      [Type.MESSAGE, direct(3, { ref: first.id }), "3"],
      [Type.RESULT, { id: first.id, count: 2, ...page }],
      [Type.MESSAGE, direct(5), "5"],
    );
    const { header: second } = await peer.next();
    assert.deepEqual([second.command, second.after], ["history", 3]);
    await peer.sendAll(
      [Type.MESSAGE, direct(4, { ref: second.id }), "4"],
      [Type.MESSAGE, direct(5, { ref: second.id }), "5"],
      [Type.RESULT, { id: second.id, count: 2, ...page }],
    );
    await nextEvent(client, "message", (each) => each.seq === 5);
    assert.deepEqual(texts(), ["1", "2", "3", "4", "5"]);
  });

  test("a gap that the server does not fill is told", async () => {
    const { client, peer } = await established();
    const direct = (seq) => said("bob", seq, { room: undefined, to: "alice" });
    await peer.sendAll([Type.MESSAGE, direct(1), "1"], [Type.MESSAGE, direct(3), "3"]);
    const { header } = await peer.next();
    const told = nextEvent(client, "error");
    await peer.send(Type.ERROR, { code: "bad-request", message: "no", ref: header.id });
    assert.equal((await told).code, "bad-request");
    await settled(peer);
  });

  test("the first receipt of a direct message that was sent again is no gap", async () => {
    const { client, peer } = await established();
    const direct = (seq, id) => said("alice", seq, { room: undefined, to: "bob", id });
    for (const seq of [1, 2]) await peer.send(Type.MESSAGE, direct(seq, `old-${seq}`), "x");
    const sent = client.send("x", { to: "bob", id: "again" });
    await peer.next();
    await peer.send(Type.MESSAGE, direct(1, "again"), "x");
    assert.equal((await sent).seq, 1);
    await settled(peer); // with a pong, and no `history` before it
  });

  test("another name has other direct messages", async () => {
    const { client, peer, texts } = await established();
    const direct = (seq, to) => said("bob", seq, { room: undefined, to });
    await peer.send(Type.MESSAGE, direct(4, "alice"), "4");
    const renamed = client.command("name", { name: "al" });
    const { header } = await peer.next();
    await peer.sendAll(
      [Type.RESULT, { id: header.id, name: "al" }],
      [Type.MESSAGE, direct(1, "al"), "1"],
    );
    await renamed;
    assert.equal(client.name, "al");
    await peer.answerConversations();
    await settled(peer);
    assert.deepEqual(texts(), ["4", "1"]);
  });

  test("rooms beyond the twenty of a greeting are joined after it", async () => {
    const rooms = Array.from({ length: 22 }, (_, n) => `room-${n}`);
    const { client, network } = start({ rooms });
    const peer = await network.nextPeer();
    const ack = await peer.welcome({ rooms: rooms.slice(0, 20).map((room) => place(room)) });
    assert.deepEqual(ack.rooms, rooms.slice(0, 20));
    for (const room of rooms.slice(20)) {
      const { header } = await peer.next();
      assert.deepEqual([header.command, header.room, header.after], ["join", room, undefined]);
      await peer.send(Type.RESULT, { id: header.id, ...place(room) });
    }
    await peer.answerConversations();
    assert.deepEqual((await client.welcomed).rooms, rooms);
  });

  test("direct messages that are not stored any more begin anew", async () => {
    const { client, clock, network, peer, texts } = await established();
    const direct = (seq, text) => [
      Type.MESSAGE,
      said("bob", seq, { room: undefined, to: "alice" }),
      text,
    ];
    await peer.sendAll(direct(3, "old"));
    await settled(peer);
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [] });
    const { header } = await again.next();
    await again.send(Type.RESULT, { id: header.id, ...place("lobby"), recovered: true });
    await again.answerConversations([]);
    await nextState(client, "open");
    await again.sendAll(direct(1, "new"));
    await settled(again); // and no `history` before it
    assert.deepEqual(texts(), ["old", "new"]);
  });

  test("a welcome that names the room again does not hide what was missed there", async () => {
    const { client, clock, network, peer, texts } = await established();
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome({ rooms: [place("lobby", 9)] });
    const { header } = await again.next();
    assert.deepEqual([header.command, header.after], ["join", 0]);
    await again.sendAll(
      [Type.RESULT, { id: header.id, ...place("lobby", 1), recovered: true }],
      [Type.MESSAGE, said("bob", 1, { ref: header.id }), "missed"],
    );
    await again.answerConversations();
    await nextState(client, "open");
    assert.deepEqual(texts(), ["missed"]);
  });
});
