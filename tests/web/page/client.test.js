/** A client against a scripted server. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { Clock, makeNetwork, nextEvent, nextState, place, said } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;

function start(options = {}, serverKey = null) {
  const network = makeNetwork(serverKey);
  const clock = new Clock();
  const client = connect("ws://host/ws", { clock, WebSocket: network.WebSocket, ...options });
  const events = [];
  for (const type of ["message", "state", "joined", "left", "recovered", "error", "rooms"]) {
    client.addEventListener(type, ({ detail }) => events.push([type, detail]));
  }
  const texts = () => events.filter(([type]) => type === "message").map(([, each]) => each.text);
  return { client, clock, network, events, texts };
}

async function established(options = {}, serverKey = null) {
  const started = start(options, serverKey);
  const peer = await started.network.nextPeer();
  const ack = await peer.establish();
  await started.client.welcomed;
  return { ...started, peer, ack };
}

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
  ]) {
    test(`a wrong option is ${code}, in the promise alone`, async () => {
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

  test("text in place of bytes closes the socket with 1003", async () => {
    const { client, network } = start();
    const peer = await network.nextPeer();
    peer.open();
    peer.sendText("hello");
    await assert.rejects(client.welcomed, { code: "not-binary" });
    await peer.ended;
    assert.equal(peer.closeCode, 1003);
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
    await assert.rejects(client.send("x", { id: "i".repeat(70_000) }), { code: "too-large" });
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

  test("another epoch says that messages are missing", async () => {
    const { client, clock, network, peer, texts } = await established();
    await peer.say("bob", 7, "old");
    await nextEventAfter(client, peer);
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
});

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

  test("no timer is left at the end", async () => {
    const { client, clock, peer } = await established();
    await client.close();
    await peer.ended;
    assert.deepEqual(clock.waiting, []);
  });
});

/** Wait until a client has acted on all that its peer sent: it answers a ping after it. */
async function nextEventAfter(client, peer) {
  await peer.send(Type.HEARTBEAT, { n: 99 }, "ping");
  await peer.next();
}
