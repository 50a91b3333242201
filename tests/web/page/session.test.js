/** A session without I/O: messages in, events and messages out. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText, NO_BYTES } from "../../../chatd/web/page/chatd/bytes.js";
import { ByteFault, ChatError } from "../../../chatd/web/page/chatd/errors.js";
import { decodeObject } from "../../../chatd/web/page/chatd/json.js";
import { Liveness } from "../../../chatd/web/page/chatd/keepalive.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { Session } from "../../../chatd/web/page/chatd/session.js";
import { advance, CLIENT_STATES, SESSION_STATES } from "../../../chatd/web/page/chatd/states.js";

const received = (type, header, content = NO_BYTES) => ({ type, header, content });
const sent = (session) =>
  session.takeOutbox().map(({ type, header }) => [type, decodeObject(header)]);

function established(init = {}) {
  const session = new Session({ name: "alice" });
  session.channelOpened();
  session.receive(received(Type.SESSION_INIT, { session_id: "s", heartbeat: 2, ...init }));
  session.receive(received(Type.EVENT, { event: "welcome", name: "alice", room: null, rooms: [] }));
  session.takeOutbox();
  return session;
}

test("each state leads to the states of its table, and to no other", () => {
  for (const table of [SESSION_STATES, CLIENT_STATES]) {
    for (const from of Object.keys(table)) {
      for (const to of Object.keys(table)) {
        if (table[from].includes(to)) assert.equal(advance(table, from, to), to);
        else assert.throws(() => advance(table, from, to), /no transition/);
      }
    }
  }
});

test("the greeting is answered with what the program asks for", () => {
  const session = new Session({ name: "alice", password: "secret", rooms: ["den"] });
  session.channelOpened();
  assert.equal(session.limits.maxFrame, 8192);
  session.receive(received(Type.SESSION_INIT, { session_id: "s", auth: true, max_content: 500 }));
  const ack = { session_id: "s", name: "alice", password: "secret", rooms: ["den"] };
  assert.deepEqual(sent(session), [[Type.SESSION_ACK, ack]]);
  assert.equal(session.maxContent, 500);
  assert.equal(session.limits.maxFrame, 8192);
});

test("a server cannot raise the limit of a content", () => {
  const session = new Session({}, 1000);
  session.channelOpened();
  session.receive(received(Type.SESSION_INIT, { session_id: "s", max_content: 4_000_000_000 }));
  assert.equal(session.maxContent, 1000);
});

test("three intervals without a sign of life end a session, and no fewer", () => {
  const session = established();
  session.look(); // it heard the welcome in this interval
  for (let n = 0; n < 5; n++) {
    session.look();
    session.look();
    session.receive(received(Type.HEARTBEAT, { n }, encodeText("ping")));
    session.look();
  }
  assert.ok(session.isEstablished);
  for (let n = 0; n < 3; n++) session.look();
  assert.equal(session.end.code, "heartbeat-timeout");
  assert.equal(session.end.retry, true);
  assert.match(session.end.message, /silent for 6 seconds/);
});

test("a heartbeat that is neither ping nor pong is answered, and a pong is not", () => {
  const session = established();
  for (const word of ["pang", "pong"]) {
    session.receive(received(Type.HEARTBEAT, { n: 1 }, encodeText(word)));
  }
  assert.deepEqual(
    sent(session).map(([type, { code }]) => [type, code]),
    [[Type.ERROR, "bad-request"]],
  );
  assert.ok(session.isEstablished);
});

test("each further 16 KiB of a long frame is a sign of life, and less is none", () => {
  const liveness = new Liveness();
  for (const [gathered, isHeard] of [
    [16_383, false],
    [16_384, true],
    [20_000, false],
    [32_768, true],
    [100, false],
    [16_383, false],
    [16_384, true],
  ]) {
    liveness.noteHeard();
    for (let n = 0; n < 3; n++) assert.ok(!liveness.endInterval());
    liveness.noteGathered(gathered); // in the third silent interval
    assert.equal(liveness.endInterval(), !isHeard, String(gathered));
  }
});

test("a fault in the bytes is told with ERROR and DISCONNECT, and nothing follows them", () => {
  const session = established();
  assert.equal(session.receive(new ByteFault("bad-crc", "damaged")), null);
  session.send(Type.MESSAGE, { id: "late" });
  session.leave(new ChatError("goodbye", "late"));
  session.lost(new ChatError("connection-lost", "late"));
  assert.deepEqual(
    sent(session).map(([type, { code }]) => [type, code]),
    [
      [Type.ERROR, "bad-crc"],
      [Type.DISCONNECT, "bad-crc"],
    ],
  );
  assert.equal(session.end.code, "bad-crc");
  assert.equal(session.receive(received(Type.MESSAGE, { id: "late" })), null);
});

test("before the channel is open, a fault and the end send nothing", () => {
  for (const act of ["fault", "leave"]) {
    const session = new Session({});
    session[act](new ByteFault("bad-record", "no handshake"));
    assert.deepEqual(sent(session), []);
    assert.ok(session.isOver);
  }
});

test("texts for the server are cut, and no surrogate pair is", () => {
  const session = established();
  session.leave(new ChatError("goodbye", "😀".repeat(2000)));
  const [[, { reason }]] = sent(session);
  assert.equal(reason, "😀".repeat(1024));
});

test("a lost connection has the refusal that came before it", () => {
  const session = new Session({});
  session.channelOpened();
  session.receive(received(Type.ERROR, { code: "banned", message: "go away" }));
  session.lost(new ChatError("connection-lost", "lost", { retry: true }));
  assert.deepEqual([session.end.code, session.end.retry], ["banned", false]);
});

test("a greeting that the server cannot read ends the session with its reason", () => {
  const session = new Session({});
  session.channelOpened();
  session.receive(received(Type.SESSION_INIT, { session_id: "s" }));
  session.receive(received(Type.ERROR, { code: "bad-request", message: "rooms must be texts" }));
  assert.deepEqual([session.end.code, session.end.message], ["bad-request", "rooms must be texts"]);
});
