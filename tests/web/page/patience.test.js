/** A client whose server's store fails for longer than the client's patience. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { back, established, settled } from "./clients.js";
import {
  attempt,
  confirm,
  inOutage,
  MESSAGE,
  nothing,
  pass,
  refuse,
  refuseFor,
  sends,
} from "./outages.js";

/** Refuse all attempts of an outage until its 55th second. */
async function refuseAttempts(started, peer, id) {
  for (const seconds of [1, 2, 4, 8, 8, 8, 8, 8, 8]) {
    await attempt(started, peer, seconds, id);
    await refuse(peer, id);
  }
}

/** Let the patience end, which must be after so many seconds, and bring the given messages. */
async function endPatience({ clock }, peer, seconds, ...ids) {
  await pass({ clock }, peer, seconds - 0.1);
  clock.advance(0.1);
  await sends(peer, ...ids);
  await nothing(peer);
}

describe("a minute without a stored message", () => {
  test("fails what was refused, and sends each of the others a last time", async () => {
    const started = await inOutage(["b", "c"]);
    const { client, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await endPatience(started, peer, 5, "b", "c");
    const retryAfter = 5;
    const told = { code: "not-stored", message: MESSAGE, retry: true, retryAfter };
    await assert.rejects(receipts.a, { ...told, ref: "a" });
    await confirm(peer, "b"); // `a` alone could not be stored
    assert.equal((await receipts.b).id, "b");
    receipts.d = client.send("d", { id: "d" });
    await sends(peer, "d");
    for (const ref of ["d", "c"]) {
      await refuseFor("not-stored", peer, ref);
      await assert.rejects(receipts[ref], { ...told, ref });
    }
    void client.send("e", { id: "e" });
    await sends(peer, "e");
    await refuse(peer, "e");
    await attempt(started, peer, 1, "e"); // another outage, with its own minute
    assert.deepEqual([client.unconfirmed, client.state], [1, "open"]);
  });

  test("is the end if only refused messages wait", async () => {
    const started = await inOutage([]);
    const { client, clock, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await pass(started, peer, 4.9);
    assert.equal(client.unconfirmed, 1);
    clock.advance(0.1);
    await assert.rejects(receipts.a, { code: "not-stored" });
    assert.equal(clock.waiting.length, 1); // the heartbeat
    void client.send("b", { id: "b" });
    await sends(peer, "b");
    await refuse(peer, "b");
    await attempt(started, peer, 1, "b");
  });

  test("begins with each stored message", async () => {
    const started = await inOutage(["b", "c"]);
    const { client, peer, receipts } = started;
    for (const seconds of [1, 2, 4, 8, 8, 8]) {
      await attempt(started, peer, seconds, "a");
      await refuse(peer, "a");
    }
    await attempt(started, peer, 8, "a");
    await confirm(peer, "a"); // after 39 seconds
    await sends(peer, "b", "c");
    for (const id of ["b", "c"]) await refuse(peer, id);
    for (const seconds of [2, 4, 8, 8, 8, 8, 8, 8]) {
      await attempt(started, peer, seconds, "b");
      await refuse(peer, "b");
    }
    await pass(started, peer, 5.9);
    assert.equal(client.unconfirmed, 2);
    started.clock.advance(0.1);
    for (const id of ["b", "c"])
      await assert.rejects(receipts[id], { code: "not-stored", ref: id });
    assert.equal(started.clock.waiting.length, 1); // nothing is awaited of `a`
  });

  test("counts the refusals of its own outage alone", async () => {
    const started = await inOutage([]);
    const { client, clock, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await pass(started, peer, 5);
    await assert.rejects(receipts.a, { code: "not-stored" });
    const first = client.send("b", { id: "b" });
    await sends(peer, "b");
    await refuse(peer, "b");
    const again = client.send("again", { id: "a" });
    await refuseAttempts(started, peer, "b");
    await endPatience(started, peer, 5, "a");
    await assert.rejects(first, { code: "not-stored", ref: "b" });
    await confirm(peer, "a");
    assert.equal((await again).id, "a");
    assert.equal(clock.waiting.length, 1);
  });

  test("is forgotten by the next session, which may have an outage of its own", async () => {
    const started = await inOutage(["b"]);
    const { client, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await endPatience(started, peer, 5, "b");
    await assert.rejects(receipts.a, { code: "not-stored" });
    const again = await back(started);
    await again.answerConversations();
    await sends(again, "b");
    await refuse(again, "b");
    await attempt(started, again, 1, "b");
    assert.equal(client.unconfirmed, 1);
  });

  test("takes no messages along that are behind one that can never be stored", async () => {
    const started = await inOutage(["b", "c", "d"]);
    const { client, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await endPatience(started, peer, 5, "b", "c", "d");
    await assert.rejects(receipts.a, { code: "not-stored", ref: "a" });
    await confirm(peer, "b", "c", "d");
    for (const id of ["b", "c", "d"]) assert.equal((await receipts[id]).id, id);
    assert.equal(client.unconfirmed, 0);
  });
});

describe("an answer that never comes", () => {
  test("before the first attempt blocks nothing for longer than a minute", async () => {
    const started = await established();
    const { client, peer } = started;
    const [lost, refused] = ["a", "b"].map((id) => client.send(id, { id }));
    await sends(peer, "a", "b");
    await refuse(peer, "b");
    const held = client.send("c", { id: "c" });
    await endPatience(started, peer, 60, "c");
    await assert.rejects(refused, { code: "not-stored", ref: "b" });
    await confirm(peer, "c");
    assert.equal((await held).id, "c");
    void client.send("d", { id: "d" });
    await sends(peer, "d");
    await refuse(peer, "d");
    await attempt(started, peer, 1, "d"); // the next outage does not wait for it either
    await confirm(peer, "a", "d");
    assert.equal((await lost).id, "a");
    await settled(peer);
    assert.equal(client.unconfirmed, 0);
  });

  test("to an attempt blocks nothing, and a late refusal goes to the program", async () => {
    const started = await inOutage(["b"]);
    const { client, clock, peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    await endPatience(started, peer, 59, "b");
    assert.equal(client.unconfirmed, 2); // the answer may still come
    await confirm(peer, "b");
    await refuseFor("not-stored", peer, "a");
    await assert.rejects(receipts.a, { code: "not-stored", ref: "a" });
    await settled(peer);
    assert.equal(clock.waiting.length, 1);
    assert.equal((await receipts.b).id, "b");
  });

  test("to a last copy lets another outage begin after a minute", async () => {
    const started = await inOutage(["b"]);
    const { client, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await endPatience(started, peer, 5, "b");
    await assert.rejects(receipts.a, { code: "not-stored" });
    await pass(started, peer, 60);
    void client.send("c", { id: "c" });
    await sends(peer, "c");
    await refuse(peer, "c");
    await attempt(started, peer, 1, "c");
    await refuseFor("not-stored", peer, "b"); // the last copy has no other after it
    await assert.rejects(receipts.b, { code: "not-stored", ref: "b" });
    assert.equal(client.unconfirmed, 1);
  });

  test("leaves no timer after a goodbye", async () => {
    const started = await inOutage(["b"]);
    const { client, clock, peer, receipts } = started;
    await refuseAttempts(started, peer, "a");
    await endPatience(started, peer, 5, "b");
    const closed = client.close();
    await settled(peer);
    clock.advance(5);
    await assert.rejects(receipts.b, { code: "goodbye" });
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.deepEqual(clock.waiting, []);
  });
});
