/** A client whose server's store fails for a while: nobody sees a gap. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, settled } from "./clients.js";
import { attempt, confirm, inOutage, nothing, pass, refuse, refuseFor, sends } from "./outages.js";
import { nextState } from "./peer.js";

describe("a store that fails", () => {
  test("a refused message is tried again, later each time", async () => {
    const started = await inOutage([]);
    const { client, peer, receipts, events } = started;
    for (const seconds of [1, 2, 4, 8, 8]) {
      await attempt(started, peer, seconds, "a");
      await refuse(peer, "a");
      assert.equal(client.unconfirmed, 1);
    }
    await attempt(started, peer, 8, "a");
    await confirm(peer, "a");
    assert.deepEqual(await receipts.a, { id: "a", seq: 1, time: 1750000001 });
    const told = events.filter(([type]) => type === "error" || type === "state");
    assert.deepEqual(told, [["state", { state: "open" }]]);
  });

  test("attempts double until none waits, and what was sent meanwhile comes last", async () => {
    const started = await inOutage(["b", "c", "d", "e"]);
    const { client, clock, peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    receipts.f = client.send("f", { id: "f" });
    await nothing(peer);
    await confirm(peer, "a");
    await sends(peer, "b", "c");
    await confirm(peer, "b");
    await nothing(peer); // one answer is missing
    await confirm(peer, "c");
    await sends(peer, "d", "e", "f");
    receipts.g = client.send("g", { id: "g" });
    await nothing(peer); // until the outage is over
    await confirm(peer, "d", "e", "f");
    await sends(peer, "g");
    await confirm(peer, "g");
    assert.equal((await receipts.g).id, "g");
    void client.send("h", { id: "h" });
    await sends(peer, "h");
    await settled(peer);
    assert.equal(clock.waiting.length, 1); // the heartbeat
  });

  test("a thousand messages take ten attempts", async () => {
    const ids = Array.from({ length: 999 }, (_, n) => `${n}`);
    const started = await inOutage(ids);
    const { client, peer } = started;
    await attempt(started, peer, 1, "a");
    await confirm(peer, "a");
    const sizes = [1];
    for (let next = 0; next < ids.length;) {
      const size = Math.min(2 ** sizes.length, ids.length - next);
      const batch = ids.slice(next, next + size);
      await sends(peer, ...batch);
      await nothing(peer);
      await confirm(peer, ...batch);
      sizes.push(size);
      next += size;
    }
    await settled(peer);
    assert.deepEqual([sizes.length, client.unconfirmed], [10, 0]);
  });

  test("a server that stores one message of each attempt gets few, in one outage", async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `${n}`);
    const started = await inOutage(ids);
    const { client, clock, peer } = started;
    const waiting = ["a", ...ids];
    let total = waiting.length;
    let count = 0;
    for (let size = 1; waiting.length > 0; size = 3 - size) {
      if (size === 1) {
        await pass(started, peer, 0.9);
        clock.advance(0.1);
      }
      const [stored, ...refused] = waiting.slice(0, size);
      await sends(peer, stored, ...refused);
      await nothing(peer);
      count += 1 + refused.length;
      await confirm(peer, stored);
      for (const id of refused) await refuse(peer, id);
      waiting.shift();
      if (waiting.length !== 10 || total > 21) continue;
      waiting.push("late");
      total += 1;
      void client.send("late", { id: "late" });
    }
    await settled(peer);
    assert.deepEqual([client.unconfirmed, clock.waiting.length], [0, 1]);
    assert.ok(count > total && count <= 2 * total, `${count}`);
  });

  test("an attempt that stores something is followed by a second, and the next by two", async () => {
    const started = await inOutage(["b", "c", "d"]);
    const { peer } = started;
    for (const seconds of [1, 2, 4]) {
      await attempt(started, peer, seconds, "a");
      if (seconds < 4) await refuse(peer, "a");
    }
    await confirm(peer, "a");
    await sends(peer, "b", "c");
    await confirm(peer, "b");
    await refuse(peer, "c");
    await attempt(started, peer, 1, "c");
    await confirm(peer, "c");
    await sends(peer, "d");
    await refuse(peer, "d");
    await attempt(started, peer, 2, "d");
  });

  test("the order is kept over several refusals", async () => {
    const started = await established();
    const { client, peer } = started;
    for (const id of ["a", "b", "c"]) void client.send(id, { id });
    await sends(peer, "a", "b", "c");
    for (const id of ["b", "a", "c"]) await refuse(peer, id);
    void client.send("d", { id: "d" });
    await attempt(started, peer, 1, "a");
    await refuse(peer, "a");
    await attempt(started, peer, 2, "a");
    await confirm(peer, "a");
    await sends(peer, "b", "c");
    for (const id of ["c", "b"]) await refuse(peer, id);
    void client.send("e", { id: "e" });
    await attempt(started, peer, 2, "b");
    await confirm(peer, "b");
    await sends(peer, "c", "d");
    await confirm(peer, "c", "d");
    await sends(peer, "e");
  });

  test("commands and pings go on meanwhile", async () => {
    const { client, peer } = await inOutage(["b"]);
    const asked = client.command("who", { room: "lobby" });
    const { type, header } = await peer.next();
    assert.deepEqual([type, header.command], [Type.COMMAND, "who"]);
    await peer.send(Type.RESULT, { id: header.id, names: ["alice"] });
    assert.deepEqual(await asked, { names: ["alice"] });
  });

  test("a command that cannot be stored is refused at once, and holds no message", async () => {
    const { client, peer } = await established();
    const asked = client.command("topic", { room: "lobby", topic: "tea" });
    await refuseFor("not-stored", peer, (await peer.next()).header.id);
    await assert.rejects(asked, { code: "not-stored" });
    void client.send("a", { id: "a" });
    await sends(peer, "a");
  });

  test("the delay begins when each sent message has its answer", async () => {
    const started = await established();
    const { client, peer } = started;
    for (const id of ["a", "b", "c"]) void client.send(id, { id });
    await sends(peer, "a", "b", "c");
    await refuse(peer, "b");
    await pass(started, peer, 10);
    await confirm(peer, "a");
    await pass(started, peer, 10);
    await refuseFor("not-in-room", peer, "c");
    await attempt(started, peer, 1, "b");
  });

  test("without `reconnect`, each refusal is told at once", async () => {
    const { client, clock, peer } = await established({ reconnect: false });
    for (const id of ["a", "b"]) {
      const refused = client.send(id, { id });
      await sends(peer, id);
      await refuseFor("not-stored", peer, id);
      await assert.rejects(refused, { code: "not-stored", ref: id, retry: true, retryAfter: 5 });
    }
    await settled(peer);
    assert.deepEqual([client.unconfirmed, client.state, clock.waiting], [0, "open", [5]]);
  });

  test("another refusal of the tried message goes to the program, and the others are sent", async () => {
    const started = await inOutage(["b", "c"]);
    const { peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    await refuseFor("not-in-room", peer, "a");
    await assert.rejects(receipts.a, { code: "not-in-room" });
    await sends(peer, "b", "c");
  });
});

describe("the end of a session in an outage", () => {
  test("a new session sends all again, and has no outage", async () => {
    const started = await inOutage(["b"]);
    const { clock, client, peer } = started;
    await attempt(started, peer, 1, "a");
    await refuse(peer, "a");
    const again = await back(started);
    void client.send("c", { id: "c" });
    const open = nextState(client, "open");
    await again.answerConversations();
    await open;
    await sends(again, "a", "b", "c");
    await pass(started, again, 10);
    assert.deepEqual(clock.waiting, [5]); // the heartbeat
    for (const id of ["a", "b", "c"]) await refuse(again, id);
    await attempt(started, again, 1, "a");
  });

  test("a listener that sends at the return of the session sends after what waited", async () => {
    const started = await inOutage(["b"]);
    const { client } = started;
    const again = await back(started);
    client.addEventListener("state", () => void client.send("c", { id: "c" }));
    await again.answerConversations();
    await sends(again, "a", "b", "c");
  });

  test("a goodbye waits for the receipts of the messages that wait", async () => {
    const started = await inOutage(["b"]);
    const { client, clock, peer, receipts } = started;
    const closed = client.close();
    await attempt(started, peer, 1, "a");
    await confirm(peer, "a");
    await sends(peer, "b");
    await confirm(peer, "b");
    assert.equal((await receipts.b).id, "b");
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.deepEqual(clock.waiting, []);
  });

  test("after 5 seconds, what waits was refused, what has no answer is lost", async () => {
    const started = await inOutage(["b", "c", "d"]);
    const { client, clock, peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    await confirm(peer, "a");
    await sends(peer, "b", "c");
    await refuse(peer, "b");
    const closed = client.close();
    await settled(peer);
    clock.advance(5);
    for (const ref of ["b", "d"]) {
      await assert.rejects(receipts[ref], { code: "not-stored", ref, retry: true, retryAfter: 5 });
    }
    await assert.rejects(receipts.c, { code: "goodbye" });
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.deepEqual([client.unconfirmed, clock.waiting], [0, []]);
  });

  test("the server's own end of the session is told to all", async () => {
    const { client, clock, peer, receipts } = await inOutage(["b"]);
    await peer.send(Type.DISCONNECT, { code: "banned", reason: "go", retry: false });
    for (const receipt of Object.values(receipts))
      await assert.rejects(receipt, { code: "banned" });
    assert.equal(client.state, "ended");
    assert.ok(!clock.waiting.includes(60));
  });
});
