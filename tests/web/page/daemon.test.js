/** Clients against a daemon: with and without a key, and over its sudden ends. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { bridgeTo } from "./bridge.js";
import { Daemon, NEEDS_TWISTD } from "./daemon.js";
import { nextEvent, nextState, Stream } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;
/** A clock whose chance makes each wait short. */
const HASTY = {
  setTimeout: (call, ms) => setTimeout(call, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
  random: () => -0.49,
};

/** Run a test with a daemon, and with clients that are closed at its end. */
async function withDaemon(settings, run) {
  const daemon = new Daemon(settings);
  const clients = [];
  const bridge = bridgeTo(daemon.path, settings.cut);
  const join = (name, options = {}) => {
    const { WebSocket } = bridge;
    const client = connect("ws://bridge/ws", { name, clock: HASTY, WebSocket, ...options });
    client.heard = [];
    client.addEventListener("message", ({ detail }) => client.heard.push(detail));
    clients.push(client);
    return client;
  };
  if (settings.accounts !== undefined) daemon.addAccounts(settings.accounts);
  try {
    await daemon.start();
    await run({ daemon, join, bridge });
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await daemon.remove();
  }
}

/** Cut into pieces of 1 to 7 bytes, always the same. */
function cutFinely(data) {
  const pieces = [];
  for (let offset = 0, size = 1; offset < data.length; offset += size, size = (size % 7) + 1) {
    pieces.push(data.subarray(offset, offset + size));
  }
  return pieces;
}

for (const [kind, settings, key] of [
  ["without a key", {}, undefined],
  ["with a key", { key: KEY }, KEY],
  ["with a key, in small pieces", { key: KEY, cut: cutFinely }, KEY],
]) {
  describe(`a daemon ${kind}`, { skip: NEEDS_TWISTD }, () => {
    test("rooms, receipts, history, direct messages and commands", () =>
      withDaemon(settings, async ({ join }) => {
        const [alice, bob] = [join("alice", { key }), join("bob", { key })];
        const welcomed = await alice.welcomed;
        assert.equal(welcomed.name, "alice");
        assert.match(welcomed.server, /^chatd\//);
        assert.equal(welcomed.encrypted, key !== undefined);
        await bob.welcomed;

        const heard = nextEvent(bob, "message");
        const receipt = await alice.send("hello", { room: "lobby" });
        const message = await heard;
        assert.deepEqual(
          [message.text, message.from, message.seq],
          ["hello", "alice", receipt.seq],
        );
        assert.equal(message.own, false);

        const arrived = nextEvent(alice, "joined");
        await alice.join("den");
        await bob.join("den");
        assert.equal((await arrived).name, "alice");
        const { names } = await alice.command("who", { room: "den" });
        assert.deepEqual([...names].sort(), ["alice", "bob"]);

        const direct = nextEvent(alice, "message");
        await bob.send("psst", { to: "alice" });
        assert.deepEqual([(await direct).text, alice.heard.at(-1).to], ["psst", "alice"]);

        for (const text of ["1", "2", "3"]) await bob.send(text, { room: "den" });
        const page = await alice.history("den", { before: 3, limit: 1 });
        assert.deepEqual([page.messages.map((each) => each.text), page.complete], [["2"], false]);
        const talk = await alice.history({ with: "bob" });
        assert.deepEqual(
          talk.messages.map((each) => each.text),
          ["psst"],
        );

        const topic = nextEvent(bob, "topic");
        await alice.command("topic", { room: "den", topic: "quiet" });
        assert.equal((await topic).topic, "quiet");
        await alice.leave("den");
        await assert.rejects(alice.send("gone", { room: "den" }), { code: "not-in-room" });
        await assert.rejects(alice.command("fly"), { code: "unknown-command" });
      }));

    test("large contents pass both ways, and larger ones are refused", () =>
      withDaemon({ ...settings, cut: undefined }, async ({ join }) => {
        const [alice, bob] = [join("alice", { key }), join("bob", { key })];
        await Promise.all([alice.welcomed, bob.welcomed]);
        const content = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7) & 255);
        const heard = nextEvent(bob, "message");
        await alice.send(content, { contentType: "application/octet-stream" });
        assert.deepEqual(Buffer.compare((await heard).content, content), 0);
        await assert.rejects(alice.send(new Uint8Array(10_485_761)), { code: "too-large" });
      }));
  });
}

describe("a daemon that refuses", { skip: NEEDS_TWISTD }, () => {
  test("nothing that the library takes for within the limits", () =>
    withDaemon({}, async ({ join }) => {
      const room = "r".repeat(64);
      const alice = join("alice", { rooms: [room] });
      const { rooms } = await alice.welcomed;
      assert.deepEqual(rooms, [room]);
      const id = "😀".repeat(64);
      const receipt = await alice.send("x", { id, room, contentType: "c".repeat(255) });
      assert.deepEqual([receipt.id, receipt.seq], [id, 1]);
      await alice.leave(room);
      assert.equal((await alice.join(room)).seq, 1);
      const { messages } = await alice.history(room, { limit: 500 });
      assert.equal(messages.length, 1);
    }));

  test("a name in use, and a room without a good name", () =>
    withDaemon({}, async ({ join }) => {
      await join("alice").welcomed;
      await assert.rejects(join("Alice").welcomed, { code: "name-taken" });
      await assert.rejects(join("a b").welcomed, { code: "bad-name" });
      await assert.rejects(join("carol", { rooms: ["a b"] }).welcomed, { code: "bad-room" });
    }));

  test("another key, or none", () =>
    withDaemon({ key: KEY }, async ({ join }) => {
      await assert.rejects(join("a", { key: "A".repeat(43) }).welcomed, { code: "wrong-key" });
      await assert.rejects(join("a").welcomed, { code: "key-required" });
    }));
});

describe("a daemon with accounts", { skip: NEEDS_TWISTD }, () => {
  const settings = { key: KEY, accounts: { alice: "correct horse" } };

  test("the right password opens the account, over lost connections too", () =>
    withDaemon(settings, async ({ join, bridge }) => {
      const alice = join("alice", { key: KEY, password: "correct horse" });
      await alice.welcomed;
      const open = nextState(alice, "open");
      for (const socket of bridge.open) socket.drop();
      await open;
      assert.equal((await alice.send("back", { room: "lobby" })).seq, 1);
    }));

  test("a wrong or missing password does not", () =>
    withDaemon(settings, async ({ join }) => {
      const wrong = join("alice", { key: KEY, password: "wrong" });
      await assert.rejects(wrong.welcomed, { code: "auth-failed", retry: false });
      await assert.rejects(join("alice", { key: KEY }).welcomed, { code: "auth-required" });
    }));
});

describe("nothing is missed or doubled", { skip: NEEDS_TWISTD }, () => {
  for (const [kind, key] of [
    ["without a key", undefined],
    ["with a key", KEY],
  ]) {
    test(`over kill -9 of the daemon, ${kind}`, { timeout: 100_000 }, () =>
      withDaemon({ key }, async ({ daemon, join }) => {
        const options = { key, rooms: ["lobby", "den"] };
        const [alice, bob] = [join("alice", options), join("bob", options)];
        await Promise.all([alice.welcomed, bob.welcomed]);
        const receipts = [];
        for (let round = 0; round < 4; round++) {
          for (let n = 0; n < 25; n++) {
            const text = `${round}.${n}`;
            for (const place of [{ room: "lobby" }, { room: "den" }, { to: "bob" }]) {
              receipts.push(alice.send(text, place));
            }
          }
          if (round % 2 === 0) await receipts.at(-1); // else the end comes in between
          const both = [nextState(alice, "open"), nextState(bob, "open")];
          await daemon.kill();
          await daemon.start();
          await Promise.all(both);
        }
        await Promise.all(receipts);
        for (const client of [alice, bob]) {
          const last = nextEvent(client, "message", ({ text }) => text === "last");
          await bob.send("last", { room: client === alice ? "lobby" : "den" });
          await last;
          checkOrder(client.heard.filter((each) => each.text !== "last"));
        }
      }),
    );
  }

  test("while the store fails, and then works again", { timeout: 100_000 }, () =>
    withDaemon({}, async ({ daemon, join }) => {
      const delays = new Stream();
      const spying = (call, ms) => {
        if (ms === 1000 || ms === 2000) delays.put(ms); // those of an outage
        return setTimeout(call, ms);
      };
      const alice = join("alice", { clock: { ...HASTY, setTimeout: spying } });
      const bob = join("bob");
      await Promise.all([alice.welcomed, bob.welcomed]);
      await alice.send("before", { room: "lobby" });
      daemon.limitFiles(true);
      const held = ["1", "2", "3"].map((text) => alice.send(text, { room: "lobby" }));
      assert.equal(await delays.next(), 1000);
      held.push(alice.send("4", { room: "lobby" }));
      assert.equal(await delays.next(), 2000); // the first was tried again, and refused again
      assert.equal(alice.unconfirmed, 4);
      const last = nextEvent(bob, "message", ({ text }) => text === "4");
      daemon.limitFiles(false);
      const receipts = await Promise.all(held);
      await last;
      assert.deepEqual(
        receipts.map(({ seq }) => seq),
        [2, 3, 4, 5],
      );
      for (const { heard } of [alice, bob]) {
        assert.deepEqual(
          heard.map(({ text }) => text),
          ["before", "1", "2", "3", "4"],
        );
      }
    }),
  );

  test("over lost connections, while another one speaks", { timeout: 100_000 }, () =>
    withDaemon({}, async ({ join, bridge }) => {
      const [alice, bob] = [join("alice"), join("bob")];
      await Promise.all([alice.welcomed, bob.welcomed]);
      const texts = Array.from({ length: 300 }, (_, n) => `${n}`);
      for (const [n, text] of texts.entries()) {
        const sent = alice.send(text, { room: "lobby" });
        if (n % 30 === 7) for (const socket of bridge.open) socket.drop();
        if (n % 10 === 0) await sent;
      }
      const last = nextEvent(bob, "message", ({ text }) => text === "last");
      await alice.send("last", { room: "lobby" });
      await last;
      assert.deepEqual(
        bob.heard.map((each) => each.text),
        [...texts, "last"],
      );
      assert.deepEqual(
        alice.heard.map((each) => each.text),
        [...texts, "last"],
      );
    }),
  );
});

/** Check that a client heard each text once, in the order of each room and of the direct ones. */
function checkOrder(heard) {
  const expected = [];
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 25; n++) expected.push(`${round}.${n}`);
  }
  for (const room of ["lobby", "den", null]) {
    const messages = heard.filter((each) => each.room === room);
    assert.deepEqual(
      messages.map((each) => each.text),
      expected,
      String(room),
    );
    assert.deepEqual(
      messages.map((each) => each.seq),
      expected.map((_, index) => index + 1),
    );
  }
}
