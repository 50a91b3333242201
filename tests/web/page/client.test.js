/** A client against a scripted server: the beginning, messages and commands. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, start } from "./clients.js";
import { nextEvent, place, said } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;

describe("the beginning", () => {
  test("a client asks for what it was told, and is welcomed", async () => {
    const { client, ack, events, peer } = await established({ name: "alice", rooms: ["lobby"] });
    assert.equal(ack.name, "alice");
    assert.deepEqual(ack.rooms, ["lobby"]);
    assert.equal(ack.password, undefined);
    assert.deepEqual(await client.welcomed, {
      name: "alice",
      server: "chatd/1",
      encrypted: false,
      room: "lobby",
      rooms: ["lobby"],
      maxContent: 10_485_760,
    });
    assert.equal(client.state, "open");
    assert.deepEqual(
      events.filter(([type]) => type === "joined").map(([, each]) => [each.room, each.own]),
      [["lobby", true]],
    );
    assert.equal(peer.closeCode, null);
  });

  test("with a key, the session runs in records", async () => {
    const { client, peer } = await established({ key: KEY }, readKey(KEY));
    const heard = nextEvent(client, "message");
    await peer.say("bob", 1, "secret");
    assert.equal((await heard).text, "secret");
    assert.equal((await client.welcomed).encrypted, true);
  });

  for (const [code, clientKey, serverKey] of [
    ["key-required", null, KEY],
    ["key-unexpected", KEY, null],
    ["wrong-key", "A".repeat(43), KEY],
  ]) {
    test(`keys that do not fit are ${code}`, async () => {
      const { client, network } = start({ key: clientKey }, serverKey && readKey(serverKey));
      const peer = await network.nextPeer();
      peer.open();
      const shaken = peer.shakeHands().catch(() => {});
      if (serverKey === null) await peer.send(Type.SESSION_INIT, { session_id: "x" });
      await assert.rejects(client.welcomed, { name: "ChatError", code, retryAfter: null });
      await peer.ended;
      assert.equal(client.state, "ended");
      void shaken;
    });
  }

  for (const [code, options] of [
    ["bad-key", { key: "no key" }],
    ["bad-argument", { name: "\ud800" }],
    ["bad-argument", { name: 5 }],
    ["bad-argument", { rooms: "lobby" }],
    ["bad-argument", { rooms: [5] }],
    ["bad-argument", { password: {} }],
    ["bad-argument", { maxContent: -1 }],
  ]) {
    test(`the wrong option ${Object.entries(options)} is ${code}, in the promise alone`, async () => {
      const { client } = start(options);
      await assert.rejects(client.welcomed, { name: "ChatError", code });
      await assert.rejects(client.send("x"), { name: "ChatError" });
      await client.close();
    });
  }

  test("an address that the socket refuses is bad-address", async () => {
    class Refusing {
      constructor() {
        throw new SyntaxError("no URL");
      }
    }
    const client = connect("nonsense", { WebSocket: Refusing });
    await assert.rejects(client.welcomed, { name: "ChatError", code: "bad-address" });
  });

  test("what follows the welcome may be longer than what comes before it", async () => {
    const { client, network } = start();
    const peer = await network.nextPeer();
    peer.open();
    await peer.send(Type.SESSION_INIT, { session_id: "x" });
    await peer.next();
    const heard = nextEvent(client, "message");
    const rooms = [place("lobby")];
    await peer.sendAll(
      [Type.EVENT, { event: "welcome", name: "alice", room: "lobby", rooms }],
      [Type.MESSAGE, said("bob", 1), new Uint8Array(20_000)],
    );
    assert.equal((await heard).content.length, 20_000);
  });

  test("a refusal has the server's code and words, and the client does not come back", async () => {
    const { client, network, events } = start({ name: "bob" });
    const peer = await network.nextPeer();
    peer.open();
    await peer.send(Type.SESSION_INIT, { session_id: "x" });
    await peer.next();
    await peer.send(Type.ERROR, { code: "name-taken", message: "the name bob is in use" });
    await peer.send(Type.DISCONNECT, { code: "name-taken", reason: "the name bob is in use" });
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "name-taken");
    assert.equal(error.message, "the name bob is in use");
    assert.equal(error.retryAfter, null);
    assert.deepEqual(events.at(-1), ["state", { state: "ended", error }]);
  });

  test("a password is not sent in the clear, even if the server asks for it", async () => {
    const { client, network } = start({ name: "a", password: "secret" });
    const peer = await network.nextPeer();
    const ack = await peer.welcome({ init: { auth: true } });
    assert.equal(ack.password, undefined);
    await peer.answerConversations();
    await client.welcomed;
  });

  test("a password is sent with a key, if the server asks for it", async () => {
    for (const auth of [true, false]) {
      const { network } = start({ name: "a", password: "secret", key: KEY }, readKey(KEY));
      const peer = await network.nextPeer();
      const ack = await peer.welcome({ init: { auth } });
      assert.equal(ack.password, auth ? "secret" : undefined);
    }
  });

  test("a socket that does not open is given up after 10 seconds", async () => {
    const { client, clock, network } = start();
    const peer = await network.nextPeer();
    clock.advance(9.9);
    assert.equal(peer.closeCode, null);
    clock.advance(0.2);
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "connect-timeout");
    assert.ok(error.retryAfter > 0);
    assert.equal(peer.closeCode, 1000);
  });

  test("a server that does not answer is given up after 10 seconds", async () => {
    const { client, clock, network } = start();
    const peer = await network.nextPeer();
    peer.open();
    await peer.send(Type.SESSION_INIT, { session_id: "x" });
    await peer.next();
    clock.advance(10);
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "handshake-timeout");
    assert.equal((await peer.next()).header.code, "handshake-timeout");
  });

  test("text in place of bytes ends the client", async () => {
    const { client, network } = start();
    const peer = await network.nextPeer();
    peer.open();
    peer.sendText("hello");
    await assert.rejects(client.welcomed, { code: "not-binary" });
    await peer.ended;
    assert.equal(peer.closeCode, 1000);
  });
});

describe("messages", () => {
  test("a message has all that the program needs", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "message");
    await peer.say("bob", 1, "grüße", { id: "m-1" });
    const { content, ...message } = await heard;
    assert.deepEqual(message, {
      id: "m-1",
      room: "lobby",
      to: null,
      from: "bob",
      seq: 1,
      time: 1750000001,
      contentType: "text/plain",
      text: "grüße",
      own: false,
    });
    assert.equal(content.length, 7);
  });

  test("a short message that comes right behind a long one does not overtake it", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "message", (each) => each.seq === 2);
    const order = [];
    client.addEventListener("message", ({ detail }) => order.push(detail.seq));
    const long = await peer.frame(Type.MESSAGE, said("bob", 1), new Uint8Array(100_000));
    const short = await peer.frame(Type.MESSAGE, said("bob", 2), "x");
    const { subtle } = crypto;
    const { verify } = subtle;
    subtle.verify = async (...given) => {
      const isGood = await verify.apply(subtle, given);
      const turns = given.at(-1).length > 100_000 ? 100 : 0; // the long one takes longer
      for (let n = 0; n < turns; n++) await new Promise((resolve) => setImmediate(resolve));
      return isGood;
    };
    try {
      for (const frame of [long, short]) peer.sendRaw(frame);
      await heard;
    } finally {
      delete subtle.verify;
    }
    assert.deepEqual(order, [1, 2]);
  });

  test("a receipt fulfils the promise, and the message is the client's own", async () => {
    const { client, peer } = await established();
    const sent = client.send("hello");
    const { header, content } = await peer.next();
    assert.equal(header.room, "lobby");
    const heard = nextEvent(client, "message");
    await peer.say("alice", 1, content, { id: header.id });
    assert.deepEqual(await sent, { id: header.id, seq: 1, time: 1750000001 });
    assert.equal((await heard).own, true);
    assert.equal(client.unconfirmed, 0);
  });

  test("another's message with the same id is no receipt", async () => {
    const { client, peer } = await established();
    const sent = client.send("hello", { id: "same" });
    await peer.next();
    await peer.say("bob", 1, "not yours", { id: "same" });
    await peer.say("alice", 2, "hello", { id: "same" });
    assert.equal((await sent).seq, 2);
  });

  test("a refusal rejects the promise with the server's code", async () => {
    const { client, peer } = await established();
    const sent = client.send("hello", { room: "elsewhere" });
    const { header } = await peer.next();
    assert.equal(header.room, "elsewhere");
    await peer.send(Type.ERROR, { code: "not-in-room", message: "join it first", ref: header.id });
    await assert.rejects(sent, { code: "not-in-room", message: "join it first" });
    assert.equal(client.state, "open");
  });

  test("a content over the server's limit is refused before it is sent", async () => {
    const { client, network } = start();
    const peer = await network.nextPeer();
    await peer.establish({ init: { max_content: 10 } });
    await client.welcomed;
    await assert.rejects(client.send("eleven char"), { code: "too-large" });
    await assert.rejects(client.send("x", { id: "i".repeat(65) }), { code: "bad-argument" });
  });

  test("what is no content is refused", async () => {
    const { client } = await established();
    for (const wrong of [undefined, null, 5, {}, [1]]) {
      await assert.rejects(client.send(wrong), { code: "bad-argument" });
    }
    assert.equal(client.unconfirmed, 0);
  });

  test("what is not text has no text", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "message");
    await peer.say("bob", 1, Uint8Array.of(0, 255), { content_type: "image/png" });
    assert.equal((await heard).text, null);
  });

  test("a message with a faulty field is answered, and the session goes on", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "message");
    await peer.send(Type.MESSAGE, said("bob", 1, { seq: "one" }), "x");
    await peer.say("bob", 2, "good");
    assert.equal((await heard).text, "good");
    const { type, header } = await peer.next();
    assert.equal(type, Type.ERROR);
    assert.equal(header.code, "bad-request");
    assert.equal(header.ref, "bob-1");
  });

  test("too many messages without a receipt are refused", async () => {
    const { client } = start();
    const sent = Array.from({ length: 10_001 }, () => client.send("x"));
    await assert.rejects(sent[10_000], { code: "too-many-waiting" });
    await client.close();
    await assert.rejects(sent[0], { code: "goodbye" });
  });
});

describe("commands", () => {
  test("a command has the fields of its result", async () => {
    const { client, peer } = await established();
    const asked = client.command("who", { room: "lobby" });
    const { header } = await peer.next();
    assert.equal(header.command, "who");
    assert.equal(header.room, "lobby");
    await peer.send(Type.RESULT, { id: header.id, room: "lobby", members: 1, names: ["alice"] });
    assert.deepEqual(await asked, { room: "lobby", members: 1, names: ["alice"] });
  });

  test("joining and leaving change the rooms", async () => {
    const { client, peer, events } = await established();
    const joined = client.join("Den");
    const first = await peer.next();
    await peer.send(Type.RESULT, {
      id: first.header.id,
      ...place("den", 4),
      members: 2,
      topic: "t",
    });
    assert.equal((await joined).topic, "t");
    assert.deepEqual(client.rooms, ["lobby", "den"]);
    const left = client.leave("DEN");
    const second = await peer.next();
    await peer.send(Type.RESULT, { id: second.header.id, room: "den" });
    await left;
    assert.deepEqual(client.rooms, ["lobby"]);
    assert.deepEqual(events.at(-1), ["rooms", { rooms: ["lobby"] }]);
  });

  test("history gives the page to its caller, and not to the listeners", async () => {
    const { client, peer, texts } = await established();
    const read = client.history("lobby", { before: 3, limit: 2 });
    const { header } = await peer.next();
    assert.equal(header.before, 3);
    const ref = header.id;
    await peer.sendAll(
      [Type.MESSAGE, said("bob", 1, { ref }), "one"],
      [Type.MESSAGE, said("bob", 2, { ref }), "two"],
      [Type.RESULT, { id: ref, room: "lobby", epoch: "e1", count: 2, complete: true }],
    );
    const page = await read;
    assert.deepEqual(
      page.messages.map((each) => each.text),
      ["one", "two"],
    );
    assert.equal(page.complete, true);
    assert.deepEqual(texts(), []);
  });

  test("a page that is larger than requested ends the session", async () => {
    const { client, peer } = await established();
    const read = client.history("lobby", { limit: 1 });
    const { header } = await peer.next();
    for (const seq of [1, 2]) await peer.say("bob", seq, "x", { ref: header.id });
    await assert.rejects(read, { code: "slow-consumer" });
    assert.equal((await peer.next()).header.code, "slow-consumer");
  });

  test("answers that do not fit their commands are refused", async () => {
    const { client, peer } = await established();
    const read = client.history("lobby");
    const { header: history } = await peer.next();
    await peer.send(Type.RESULT, { id: history.id, epoch: "e", count: 1, complete: true });
    await assert.rejects(read, { code: "bad-request", message: /count/ });
    const joined = client.join("den");
    const { header: join } = await peer.next();
    await peer.send(Type.RESULT, { id: join.id, ...place("elsewhere") });
    await assert.rejects(joined, { code: "bad-request", message: /another room/ });
    const sent = client.send("x", { id: "m" });
    await peer.next();
    await peer.send(Type.RESULT, { id: "m" });
    await assert.rejects(sent, { code: "bad-request", ref: "m" });
    assert.deepEqual(client.rooms, ["lobby"]);
  });

  test("too many commands without an answer are refused", async () => {
    const { client } = await established();
    const asked = Array.from({ length: 1001 }, () => client.command("rooms"));
    await assert.rejects(asked[1000], { code: "too-many-waiting" });
    const others = Promise.allSettled(asked);
    await client.close();
    assert.ok((await others).every(({ status }) => status === "rejected"));
  });

  test("a command without a session is refused at once", async () => {
    const { client, network } = start();
    await assert.rejects(client.join("x"), { code: "connection-lost" });
    await network.nextPeer();
    await client.close();
    await assert.rejects(client.join("x"), { code: "connection-lost" });
  });

  test("a command whose session is lost is refused", async () => {
    const { client, peer } = await established();
    const asked = client.command("rooms");
    await peer.next();
    peer.drop();
    await assert.rejects(asked, { code: "connection-lost" });
  });

  test("a fault that answers nothing is the event error", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "error");
    await peer.send(Type.ERROR, { code: "unexpected-type", message: "not now" });
    assert.equal((await heard).code, "unexpected-type");
  });

  test("events come with their fields", async () => {
    const { client, peer } = await established();
    for (const [type, sent, expected] of [
      ["joined", { room: "lobby", name: "bob" }, { room: "lobby", name: "bob", own: false }],
      ["left", { room: "lobby", name: "bob" }, { room: "lobby", name: "bob", own: false }],
      [
        "topic",
        { room: "lobby", topic: "t", name: "bob" },
        { room: "lobby", topic: "t", name: "bob", own: false },
      ],
    ]) {
      const heard = nextEvent(client, type);
      await peer.send(Type.EVENT, { event: type, ...sent });
      assert.deepEqual(await heard, expected);
    }
    const change = nextEvent(client, "presence");
    await peer.send(Type.EVENT, { event: "renamed", name: "bo", old_name: "bob" });
    assert.deepEqual(await change, { change: "renamed", name: "bo", oldName: "bob", own: false });
    const unknown = nextEvent(client, "event");
    await peer.send(Type.EVENT, { event: "message", x: 1 });
    assert.deepEqual(await unknown, { event: "message", x: 1 });
  });

  test("a client that is removed from a room is not in it", async () => {
    const { client, peer } = await established();
    const heard = nextEvent(client, "left");
    await peer.send(Type.EVENT, { event: "removed", room: "lobby" });
    assert.equal((await heard).removed, true);
    assert.deepEqual(client.rooms, []);
  });
});
