/** A client whose server's store fails for a while: nobody sees a gap. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { back, established, settled, start } from "./clients.js";
import { nextState } from "./peer.js";

const MESSAGE = "the store does not work now";

/** Refuse a message. */
function refuseFor(code, peer, ref) {
  return peer.send(Type.ERROR, { code, message: MESSAGE, ref });
}

/** Refuse a message as a server does whose store fails; the client sends nothing at once. */
async function refuse(peer, ref) {
  await refuseFor("not-stored", peer, ref);
  await settled(peer);
}

/** Check which messages a client sends next. */
async function sends(peer, ...ids) {
  for (const id of ids) {
    const { type, header } = await peer.next();
    assert.deepEqual([type, header.id], [Type.MESSAGE, id]);
  }
}

/** Let time pass, in which a client sends nothing but pongs. */
async function pass({ clock }, peer, seconds) {
  await settled(peer);
  for (let left = seconds; left > 0; left -= 5) {
    clock.advance(Math.min(5, left));
    await settled(peer);
  }
}

/** Wait for the next attempt, which must be after so many seconds and with the given message. */
async function attempt(started, peer, seconds, id) {
  await pass(started, peer, seconds - 0.1);
  started.clock.advance(0.1);
  await sends(peer, id);
  await settled(peer);
}

/** Confirm messages. */
async function confirm(peer, ...ids) {
  for (const [index, id] of ids.entries()) await peer.say("alice", index + 1, id, { id });
}

/** A client whose message `a` is refused, and which holds the others; and what becomes of them. */
async function inOutage(held, options) {
  const started = await established(options);
  const { client, peer } = started;
  const receipts = { a: client.send("a", { id: "a" }) };
  await sends(peer, "a");
  await refuse(peer, "a");
  for (const id of held) receipts[id] = client.send(id, { id });
  await settled(peer); // with a pong, and no message before it
  return { ...started, receipts };
}

describe("a store that fails", () => {
  for (const options of [{}, { reconnect: false }]) {
    test(`a refused message is tried again, later each time, ${JSON.stringify(options)}`, async () => {
      const started = await inOutage([], options);
      const { client, peer, receipts, events } = started;
      for (const seconds of [1, 2, 4, 8, 8]) {
        await attempt(started, peer, seconds, "a");
        await refuse(peer, "a");
        assert.equal(client.unconfirmed, 1);
      }
      await attempt(started, peer, 8, "a");
      await confirm(peer, "a");
      assert.deepEqual(await receipts.a, { id: "a", seq: 1, time: 1750000001 });
      assert.deepEqual(
        events.filter(([type]) => type === "error" || type === "state"),
        [["state", { state: "open" }]],
      );
    });
  }

  test("one message alone is tried, and the others follow in their order", async () => {
    const started = await inOutage(["b", "c"]);
    const { client, peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    receipts.d = client.send("d", { id: "d" });
    await settled(peer);
    await confirm(peer, "a");
    await sends(peer, "b", "c", "d");
    await confirm(peer, "a", "b", "c", "d");
    const { seq } = await receipts.d;
    assert.equal(seq, 4);
    receipts.e = client.send("e", { id: "e" });
    await sends(peer, "e");
  });

  test("the order is kept over several refusals", async () => {
    const started = await established();
    const { client, peer } = started;
    for (const id of ["a", "b", "c"]) void client.send(id, { id });
    await sends(peer, "a", "b", "c");
    for (const id of ["b", "a", "c"]) await refuse(peer, id);
    await settled(peer);
    void client.send("d", { id: "d" });
    await attempt(started, peer, 1, "a");
    await refuse(peer, "a");
    await attempt(started, peer, 2, "a");
    await confirm(peer, "a");
    await sends(peer, "b", "c", "d");
    for (const id of ["b", "c", "d"]) await refuse(peer, id);
    void client.send("e", { id: "e" });
    await attempt(started, peer, 1, "b");
    await confirm(peer, "a", "b");
    await sends(peer, "c", "d", "e");
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

  test("the wait begins when each sent message has its answer", async () => {
    const started = await established();
    const { client, peer } = started;
    for (const id of ["a", "b", "c"]) void client.send(id, { id });
    await sends(peer, "a", "b", "c");
    await refuse(peer, "a");
    await pass(started, peer, 10);
    await confirm(peer, "a", "b"); // `a` was stored after all
    await pass(started, peer, 10);
    await refuseFor("not-in-room", peer, "c");
    await settled(peer);
    void client.send("d", { id: "d" });
    await attempt(started, peer, 1, "d");
  });
});

describe("the end of an outage", () => {
  test("another refusal of the tried message goes to the program, and the others are sent", async () => {
    const started = await inOutage(["b", "c"]);
    const { peer, receipts } = started;
    await attempt(started, peer, 1, "a");
    await refuseFor("not-in-room", peer, "a");
    await assert.rejects(receipts.a, { code: "not-in-room" });
    await sends(peer, "b", "c");
  });

  test("after a minute of refusals, all that wait are refused, and the next is sent", async () => {
    const started = await inOutage(["b", "c"]);
    const { client, peer, receipts } = started;
    for (const seconds of [1, 2, 4, 8, 8, 8, 8, 8, 8]) {
      await attempt(started, peer, seconds, "a");
      await refuse(peer, "a");
    }
    await attempt(started, peer, 8, "a");
    assert.equal(client.unconfirmed, 3);
    await refuse(peer, "a");
    for (const [ref, receipt] of Object.entries(receipts)) {
      const retryAfter = 5;
      const message = MESSAGE;
      await assert.rejects(receipt, { code: "not-stored", message, ref, retry: true, retryAfter });
    }
    assert.deepEqual([client.unconfirmed, client.state], [0, "open"]);
    receipts.d = client.send("d", { id: "d" });
    await sends(peer, "d");
    await refuse(peer, "d");
    await attempt(started, peer, 1, "d"); // another outage, with its own minute
  });

  test("after a minute, the answers to what is on its way are awaited first", async () => {
    const started = await established();
    const { client, peer } = started;
    const [first, second, third] = ["a", "b", "c"].map((id) => client.send(id, { id }));
    await sends(peer, "a", "b", "c");
    await refuse(peer, "a");
    await pass(started, peer, 60);
    const held = client.send("d", { id: "d" });
    await refuse(peer, "b");
    assert.equal(client.unconfirmed, 4);
    await confirm(peer, "c");
    assert.equal((await third).seq, 1);
    for (const refused of [first, second, held]) {
      await assert.rejects(refused, { code: "not-stored" });
    }
    void client.send("e", { id: "e" });
    await sends(peer, "e");
  });

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

  test("a lost session that is not to come back refuses what waited", async () => {
    const { client, clock, peer, receipts } = await inOutage(["b"], { reconnect: false });
    peer.drop();
    for (const receipt of Object.values(receipts)) {
      await assert.rejects(receipt, { code: "connection-lost" });
    }
    assert.deepEqual([client.state, clock.waiting], ["ended", []]);
  });
});

describe("the end of a client in an outage", () => {
  test("it waits for the receipts of the messages that are held", async () => {
    const started = await inOutage(["b"]);
    const { client, clock, peer, receipts } = started;
    const closed = client.close();
    await attempt(started, peer, 1, "a");
    await confirm(peer, "a");
    await sends(peer, "b");
    await confirm(peer, "a", "b");
    assert.equal((await receipts.b).seq, 2);
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.deepEqual(clock.waiting, []);
  });

  test("after 5 seconds, they are lost, and no timer is left", async () => {
    const started = await inOutage(["b"]);
    const { client, clock, peer, receipts } = started;
    const closed = client.close();
    for (const seconds of [1, 2]) {
      await attempt(started, peer, seconds, "a");
      await refuse(peer, "a");
    }
    clock.advance(2);
    for (const receipt of Object.values(receipts)) {
      await assert.rejects(receipt, { code: "goodbye" });
    }
    assert.equal((await peer.next()).header.code, "goodbye");
    await closed;
    assert.deepEqual(clock.waiting, []);
  });
});

describe("answers that make no sense", () => {
  test("a refusal of a message that is held changes nothing", async () => {
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

  test("if none waits any more, the outage is over", async () => {
    const started = await inOutage([]);
    const { client, peer, receipts } = started;
    await confirm(peer, "a");
    await receipts.a;
    await pass(started, peer, 1);
    for (const id of ["b", "c"]) void client.send(id, { id });
    await sends(peer, "b", "c");
  });

  test("a message that is too large for the server is refused, and the next is tried", async () => {
    const { client, clock, network } = start();
    const peer = await network.nextPeer();
    await peer.establish({ init: { max_content: 5 } });
    await client.welcomed;
    void client.send("a", { id: "a" });
    await sends(peer, "a");
    await refuse(peer, "a");
    const large = client.send("six ch", { id: "b" });
    for (const id of ["c", "d"]) void client.send(id, { id });
    await confirm(peer, "a"); // so that the large one is the first
    await attempt({ clock }, peer, 1, "c");
    await assert.rejects(large, { code: "too-large" });
  });
});
