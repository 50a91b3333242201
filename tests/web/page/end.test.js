/** The end of a session, and what comes after it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, start } from "./clients.js";
import { nextState, place, said } from "./peer.js";

describe("the end", () => {
  test("three silent intervals end the session, and the client comes back", async () => {
    const { client, clock, peer } = await established();
    const waiting = nextState(client, "waiting");
    clock.advance(15.1);
    assert.equal(client.state, "open"); // the first interval had the welcome
    clock.advance(5);
    assert.equal((await waiting).error.code, "heartbeat-timeout");
    const { header } = await peer.next();
    assert.deepEqual([header.code, header.retry], ["heartbeat-timeout", true]);
  });

  test("pings are answered with their number, and keep the session", async () => {
    const { client, clock, peer } = await established();
    for (let n = 1; n < 8; n++) {
      clock.advance(5);
      await peer.send(Type.HEARTBEAT, { n }, "ping");
      const { type, header, content } = await peer.next();
      assert.deepEqual(
        [type, header.n, new TextDecoder().decode(content)],
        [Type.HEARTBEAT, n, "pong"],
      );
    }
    assert.equal(client.state, "open");
  });

  test("a DISCONNECT with retry brings the client back later, one without ends it", async () => {
    for (const [retry, state] of [
      [true, "waiting"],
      [false, "ended"],
    ]) {
      const { client, peer } = await established();
      const changed = nextState(client, state);
      await peer.send(Type.DISCONNECT, { code: "kicked", reason: "out", retry });
      const { error } = await changed;
      assert.deepEqual([error.code, error.message], ["kicked", "out"]);
      assert.equal(error.retryAfter === null, !retry);
      await client.close();
    }
  });

  test("a DISCONNECT right before the end of the connection is read", async () => {
    const { client, peer } = await established();
    const changed = nextState(client, "ended");
    const frame = await peer.frame(Type.DISCONNECT, { code: "kicked", reason: "out" });
    peer.sendRaw(frame);
    peer.drop();
    assert.equal((await changed).error.code, "kicked");
  });

  test("each failed attempt waits longer, and a good session begins anew", async () => {
    const { client, clock, network, peer } = await established();
    peer.drop();
    const delays = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      const { error } = await nextState(client, "waiting");
      delays.push(error.retryAfter);
      clock.advance(error.retryAfter);
      (await network.nextPeer()).drop();
    }
    assert.deepEqual(delays, [0.5, 1, 2, 4, 8, 16, 30, 30, 30]);
    await client.close();
  });

  test("retryNow does not wait", async () => {
    const { client, network, peer } = await established();
    peer.drop();
    await nextState(client, "waiting");
    client.retryNow();
    assert.equal(client.state, "connecting");
    await network.nextPeer();
    client.retryNow();
    await client.close();
    assert.equal(client.state, "ended");
  });

  test("a listener may close a client in each of its states", async () => {
    for (const state of ["waiting", "connecting", "open"]) {
      const started = await established();
      const { client, clock, network, peer, events } = started;
      let again = null;
      void network.nextPeer().then((there) => {
        again = there;
      });
      let closed = null;
      client.addEventListener("state", ({ detail }) => {
        if (detail.state === state) closed = client.close();
      });
      const waiting = nextState(client, "waiting");
      peer.drop();
      await waiting;
      client.retryNow();
      await new Promise(setImmediate);
      assert.equal(again !== null, state === "open");
      if (again !== null) {
        await again.welcome({ rooms: [] });
        const { header } = await again.next();
        await again.send(Type.RESULT, { id: header.id, ...place("lobby"), recovered: true });
        const open = nextState(client, "open");
        await again.answerConversations();
        await open;
      }
      await closed;
      const states = events.filter(([type]) => type === "state").map(([, each]) => each.state);
      const all = ["open", "waiting", "connecting", "open"];
      const last = state === "open" ? 4 : all.indexOf(state) + 1;
      assert.deepEqual(states, [...all.slice(0, last), "ended"]);
      await client.close();
      assert.deepEqual(clock.waiting, []);
    }
  });

  test("the first attempt may be repeated too", async () => {
    const { client, clock, network } = start({ persist: true });
    (await network.nextPeer()).drop();
    await nextState(client, "waiting");
    clock.advance(1);
    await (await network.nextPeer()).establish();
    assert.equal((await client.welcomed).name, "alice");
  });

  test("without reconnect, a lost session is the end", async () => {
    const { client, peer } = await established({ reconnect: false });
    const sent = client.send("x");
    peer.drop();
    await nextState(client, "ended");
    await assert.rejects(sent, { code: "connection-lost" });
  });

  test("an old session that still has the name is waited for", async () => {
    const { client, clock, network, peer } = await established();
    peer.drop();
    await nextState(client, "waiting");
    clock.advance(1);
    const again = await network.nextPeer();
    again.open();
    await again.send(Type.SESSION_INIT, { session_id: "x" });
    await again.next();
    const waiting = nextState(client, "waiting");
    await again.send(Type.DISCONNECT, { code: "name-taken" });
    assert.equal((await waiting).error.code, "name-taken");
  });

  test("closing waits for the receipts, says goodbye, and closes with 1000", async () => {
    const { client, peer } = await established();
    const sent = client.send("last", { id: "last" });
    const closed = client.close();
    await peer.next();
    await peer.say("alice", 1, "last", { id: "last" });
    assert.equal((await sent).seq, 1);
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.equal(peer.closeCode, 1000);
    assert.equal(client.state, "ended");
    assert.equal(client.close(), client.close());
  });

  test("closing does not wait for ever", async () => {
    const { client, clock, peer } = await established();
    const sent = client.send("last");
    await peer.next();
    const closed = client.close();
    clock.advance(5);
    await closed;
    await assert.rejects(sent, { code: "goodbye" });
  });

  test("closing does not wait for a network that is gone", async () => {
    const { client, clock, peer } = await established();
    peer.isGone = true;
    const closed = client.close();
    assert.equal((await peer.next()).header.code, "goodbye");
    while (peer.closeCode === null) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5);
    await closed;
  });

  test("a socket that opens after the end changes nothing", async () => {
    const { client, clock, network } = start();
    const peer = await network.nextPeer();
    peer.isGone = true;
    const closed = client.close();
    while (peer.closeCode === null) await new Promise((resolve) => setImmediate(resolve));
    peer.open();
    clock.advance(5);
    await closed;
    assert.deepEqual(clock.waiting, []);
  });

  test("a client that closes does not come back, though the server invites it", async () => {
    const { client, clock, peer } = await established();
    client.addEventListener("message", () => client.close());
    await peer.sendAll(
      [Type.HEARTBEAT, { n: 1 }, "ping"],
      [Type.MESSAGE, said("bob", 1), "x"],
      [Type.DISCONNECT, { code: "shutting-down", retry: true }],
    );
    await peer.ended;
    await client.close();
    assert.equal(client.state, "ended");
    assert.deepEqual(clock.waiting, []);
  });

  test("no timer is left at the end", async () => {
    const { client, clock, peer } = await established();
    await client.close();
    await peer.ended;
    assert.deepEqual(clock.waiting, []);
  });

  test("no timer is left if the connection is lost while a message is sealed", async () => {
    const { client, clock, peer } = await established({ reconnect: false });
    const ended = nextState(client, "ended");
    void client.send("x");
    peer.drop();
    assert.equal((await ended).error.code, "connection-lost");
    assert.deepEqual(clock.waiting, []);
  });

  test("a session that lasted 10 seconds makes the next wait short again", async () => {
    const { client, clock, network, peer } = await established();
    let present = peer;
    const delays = [];
    for (const lasted of [0, 0, 10, 0]) {
      clock.advance(lasted / 2);
      await present.send(Type.HEARTBEAT, { n: 1 }, "ping");
      await present.next();
      clock.advance(lasted / 2);
      const waiting = nextState(client, "waiting");
      present.drop();
      const { error } = await waiting;
      delays.push(error.retryAfter);
      clock.advance(error.retryAfter);
      present = await network.nextPeer();
      await present.welcome({ rooms: [] });
      const { header } = await present.next();
      await present.send(Type.RESULT, { id: header.id, ...place("lobby"), recovered: true });
      const open = nextState(client, "open");
      await present.answerConversations();
      await open;
    }
    assert.deepEqual(delays, [0.5, 1, 0.5, 1]);
  });

  test("damage on the way is tried once more, and no oftener", async () => {
    const { client, clock, network, peer } = await established();
    const damaged = async (there) => {
      const frame = await there.frame(Type.MESSAGE, said("bob", 1), "x");
      frame[frame.length - 1] ^= 1;
      there.sendRaw(frame);
    };
    const waiting = nextState(client, "waiting");
    await damaged(peer);
    assert.equal((await waiting).error.code, "bad-crc");
    clock.advance(1);
    const again = await network.nextPeer();
    await again.welcome();
    const ended = nextState(client, "ended");
    await damaged(again);
    assert.equal((await ended).error.code, "bad-crc");
  });
});
