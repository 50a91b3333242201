/** The room of a message that names none. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, lost, settled, start } from "./clients.js";
import { nextEvent, nextState, place } from "./peer.js";

const ROOMS = ["private", "lobby"];

/** A client in two rooms, with its peer. */
async function inTwoRooms() {
  const started = start({ rooms: ROOMS });
  const peer = await started.network.nextPeer();
  await peer.establish({ rooms: ROOMS.map((room) => place(room)) });
  await started.client.welcomed;
  return { ...started, peer };
}

/** Refuse a client's first room at its rejoin, and let it into the second. */
async function refuseFirst(peer) {
  await peer.welcome({ rooms: [] });
  for (const [name, isRefused] of [
    ["private", true],
    ["lobby", false],
  ]) {
    const { header } = await peer.next();
    assert.deepEqual([header.command, header.room], ["join", name]);
    if (isRefused) {
      const message = "ask an operator";
      await peer.send(Type.ERROR, { code: "not-invited", message, ref: header.id });
    } else {
      await peer.send(Type.RESULT, { id: header.id, ...place(name), recovered: true });
    }
  }
  await peer.answerConversations();
}

test("a message without a place is for the room that was the first when it was sent", async () => {
  const started = await inTwoRooms();
  const { client, peer } = started;
  const again = await lost(started, peer);
  const refused = [
    client.send("for the private room", { id: "first" }),
    client.send("and this", { id: "second", room: "PRIVATE" }),
  ];
  const others = ["lobby", "bob"];
  for (const [id, where] of [
    ["third", { room: "lobby" }],
    ["fourth", { to: "bob" }],
  ]) {
    void client.send("for others", { id, ...where });
  }
  const open = nextState(client, "open");
  await refuseFirst(again);
  for (const [index, ref] of ["first", "second"].entries()) {
    const message = "cannot enter private: ask an operator";
    await assert.rejects(refused[index], { code: "not-invited", message, ref });
  }
  await open;
  for (const other of others) {
    const { header } = await again.next();
    assert.equal(header.room ?? header.to, other);
  }
  await settled(again); // with a pong, and no message before it
  assert.equal(client.unconfirmed, 2);
});

test("a message that was sent before its first room was refused goes to no other", async () => {
  const started = await inTwoRooms();
  const sent = started.client.send("for the private room");
  assert.equal((await started.peer.next()).header.room, "private");
  const again = await lost(started, started.peer);
  await refuseFirst(again);
  await assert.rejects(sent, { code: "not-invited" });
  await settled(again);
});

test("a listener that hears of a refused room finds its messages refused", async () => {
  const started = await inTwoRooms();
  const { client, peer } = started;
  const again = await lost(started, peer);
  void client.send("for the private room");
  const waiting = nextEvent(client, "error").then(() => client.unconfirmed);
  await refuseFirst(again);
  assert.equal(await waiting, 0);
});

test("before any room is known, a message is for the first that the welcome names", async () => {
  const { client, network } = start();
  const sent = client.send("x", { id: "early" });
  const peer = await network.nextPeer();
  await peer.establish({ rooms: [place("den"), place("lobby")] });
  assert.equal((await peer.next()).header.room, "den");
  await peer.say("alice", 1, "x", { id: "early", room: "den" });
  assert.equal((await sent).seq, 1);
});

test("without any room, the server chooses the room of a message", async () => {
  const { client, peer } = await established();
  const left = client.leave("lobby");
  await peer.send(Type.RESULT, { id: (await peer.next()).header.id });
  await left;
  void client.send("x");
  const { header } = await peer.next();
  assert.deepEqual([header.room, header.to], [undefined, undefined]);
});
