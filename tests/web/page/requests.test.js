/** What the page of the library says of `rooms`, of the command `history`, and of the waits. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { backoff } from "../../../chatd/web/page/chatd/keeper.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, lost, settled, start } from "./clients.js";
import { place, said } from "./peer.js";

test("before the welcome, the rooms are those of the option; then those of the server", async () => {
  for (const [options, before, told] of [
    [{ rooms: ["den", "lobby"] }, ["den", "lobby"], ["den", "lobby"]],
    [{}, [], ["hall"]],
  ]) {
    const { client, network } = start(options);
    assert.deepEqual(client.rooms, before);
    const peer = await network.nextPeer();
    await peer.establish({ rooms: told.map((room) => place(room)) });
    assert.deepEqual((await client.welcomed).rooms, told);
    assert.deepEqual(client.rooms, told);
  }
});

test("while there is no session, the rooms are those that the client joins again", async () => {
  const started = await established();
  await lost(started, started.peer);
  assert.deepEqual(started.client.rooms, ["lobby"]);
});

test("as a command, history gives the fields of its RESULT, and tells no message", async () => {
  const { client, peer, texts } = await established();
  const asked = client.command("history", { room: "lobby" });
  const { header } = await peer.next();
  const ref = header.id;
  const result = { epoch: "e1", count: 1, complete: true };
  await peer.sendAll(
    [Type.MESSAGE, said("bob", 1, { ref }), "earlier"],
    [Type.RESULT, { id: ref, ...result }],
  );
  assert.deepEqual(await asked, result);
  await settled(peer);
  assert.deepEqual(texts(), []);
});

test("an epoch has at most 64 characters", async () => {
  for (const [length, code] of [
    [64, null],
    [65, "bad-request"],
  ]) {
    const { client, peer } = await established();
    const asked = client.join("den");
    const { header } = await peer.next();
    const joined = { ...place("den"), epoch: "e".repeat(length) };
    await peer.send(Type.RESULT, { id: header.id, ...joined });
    const outcome = await asked.then(() => null).catch((error) => error.code);
    assert.equal(outcome, code);
  }
});

test("the page tells the shortest and the longest waits", () => {
  const page = new URL("../../../docs/reference/javascript.md", import.meta.url);
  const words = readFileSync(page, "utf8").replace(/\s+/g, " ");
  const told = /the first is ([\d.]+) to ([\d.]+) seconds, and the longest ([\d.]+) to ([\d.]+)\./;
  const [, ...seconds] = told.exec(words);
  const waits = [1, 99].flatMap((failures) => [backoff(failures, 0), backoff(failures, 1)]);
  assert.deepEqual(seconds.map(Number), waits);
});
