import assert from "node:assert/strict";
import { test } from "node:test";

import { oncePerFrame } from "../../../chatd/web/page/app/drawing.js";
import { Conversation } from "../../../chatd/web/page/app/conversation.js";
import { Marks } from "../../../chatd/web/page/app/marks.js";
import { Memory } from "../../../chatd/web/page/app/memory.js";
import { hueOf, lookAfter, MAX_ROWS, sizeOf, windowOf } from "../../../chatd/web/page/app/rows.js";
import {
  fieldOf,
  isName,
  leaveQuestion,
  sentenceOf,
} from "../../../chatd/web/page/app/sentences.js";

const item = (time, from = "bob", kind = "message") => ({ time, from, kind });

test("the window is at the end, or begins with a row, and is never longer than its limit", () => {
  assert.deepEqual(windowOf(0, null), { start: 0, end: 0 });
  assert.deepEqual(windowOf(50, null), { start: 0, end: 50 });
  assert.deepEqual(windowOf(100_000, null), { start: 100_000 - MAX_ROWS, end: 100_000 });
  assert.deepEqual(windowOf(100_000, 5), { start: 5, end: 5 + MAX_ROWS });
  assert.deepEqual(windowOf(100_000, -3), { start: 0, end: MAX_ROWS });
  assert.deepEqual(windowOf(100_000, 99_999), { start: 100_000 - MAX_ROWS, end: 100_000 });
});

test("a person who goes on within five minutes of one day is named once", () => {
  const noon = new Date(2026, 10, 29, 12).getTime() / 1000;
  const look = (before, after) => Object.values(lookAfter(before, after));
  assert.deepEqual(look(undefined, item(noon)), [true, false]);
  assert.deepEqual(look(item(noon), item(noon + 60)), [false, true]);
  assert.deepEqual(look(item(noon), item(noon + 600)), [false, false]);
  assert.deepEqual(look(item(noon), item(noon + 60, "eve")), [false, false]);
  assert.deepEqual(look(item(noon, "", "notice"), item(noon + 60, "")), [false, false]);
  assert.deepEqual(look(item(noon), item(noon + 86_400)), [true, false]);
});

test("a name has always the same colour", () => {
  assert.equal(hueOf("bob"), hueOf("bob"));
  for (const name of ["", "bob", "\ud800", "\u{1f600}"]) assert.match(hueOf(name), /^hue-[0-7]$/);
});

test("sizes are for people", () => {
  assert.deepEqual([12, 1999, 2_500_000].map(sizeOf), ["12 bytes", "2 kB", "2.5 MB"]);
});

test("much that changes is drawn once", () => {
  const frames = [];
  let drawn = 0;
  const draw = oncePerFrame(
    () => (drawn += 1),
    (call) => frames.push(call),
  );
  for (let count = 0; count < 500; count += 1) draw();
  frames.pop()();
  draw();
  assert.deepEqual([drawn, frames.length], [1, 1]);
});

test("an error is a sentence, and points to a field", () => {
  const { length } = sentenceOf({ code: "wrong-key", message: "x" });
  assert.ok(length > 20);
  assert.equal(fieldOf({ code: "wrong-key" }), "key");
  assert.equal(fieldOf({ code: "auth-failed" }), "password");
  assert.equal(fieldOf({ code: "name-taken" }), "name");
  assert.equal(fieldOf(undefined), null);
  assert.equal(sentenceOf({ code: "new", message: "it broke" }), "It broke.");
  assert.equal(sentenceOf({ code: "new", message: "" }), "New.");
  assert.equal(sentenceOf(undefined), "Something failed.");
  assert.match(sentenceOf({ code: "too-many-attempts", retryAfter: 2.5 }), /again in 3 seconds/);
  assert.match(sentenceOf({ code: "kicked", message: "noise" }), /noise$/);
  const ban = { code: "banned", message: "you are banned from this server: noise" };
  assert.equal(sentenceOf(ban), "You are banned from this server: noise.");
});

test("the browser keeps what it is given until it forgets, and damaged memory is none", () => {
  const kept = new Map();
  const memory = new Memory({
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  });
  assert.equal(memory.read(), null);
  const ann = { name: "ann", key: "k", rooms: ["lobby"], hasPassword: true };
  memory.write(ann);
  assert.deepEqual(memory.read(), ann);
  memory.forget();
  assert.deepEqual([memory.read(), kept.size], [null, 0]);
  for (const damaged of ["{", "3", '{"rooms": 4}']) {
    kept.set("chatd", damaged);
    assert.ok([undefined, ""].includes(memory.read()?.key));
  }
});

test("a browser without storage keeps nothing", () => {
  for (const storage of [null, Object.create(null)]) {
    const memory = new Memory(storage);
    memory.write({ name: "ann", key: "", rooms: [] });
    memory.forget();
    assert.equal(memory.read(), null);
  }
});

test("leaving asks only if something would be lost", () => {
  assert.equal(leaveQuestion({ unsent: 0, hasDraft: false }), "");
  assert.match(
    leaveQuestion({ unsent: 1, hasDraft: true }),
    /^1 message is not sent\. Leave anyway/,
  );
  assert.match(leaveQuestion({ unsent: 2, hasDraft: false }), /^2 messages are not sent\./);
  assert.match(leaveQuestion({ unsent: 0, hasDraft: true }), /begun a message/);
});

test("marks say what a person has read, under one name and in one epoch", () => {
  const kept = new Map();
  const marks = new Marks({
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  });
  const room = new Conversation("room", "lobby");
  assert.equal(marks.read("ann", room), null);
  assert.equal(marks.read("ann", new Conversation("direct", "bob")), -1);
  marks.write("ann", room);
  assert.equal(kept.size, 0, "nothing is read yet");
  room.enter("e1");
  room.addOlder([{ id: "x", from: "bob", seq: 7, text: "hi", content: [] }], true);
  marks.write("Ann", room);
  assert.deepEqual([marks.read("ann", room), marks.read("eve", room)], [7, null]);
  room.enter("e2");
  assert.equal(marks.read("ann", room), -1);
  kept.set("chatd-read", "{");
  assert.equal(marks.read("ann", room), null);
  marks.forget();
  assert.equal(kept.size, 0);
  for (const storage of [null, Object.create(null)]) {
    const none = new Marks(storage);
    none.write("ann", Object.assign(room, { isRead: true }));
    none.forget();
    assert.equal(none.read("ann", room), null);
  }
});

test("sentences are plain, and say nothing twice", () => {
  const kicked = { code: "kicked", message: "an operator ended the session" };
  assert.equal(sentenceOf(kicked), "An operator ended your session.");
  assert.match(sentenceOf({ code: "too-many-attempts", retryAfter: 0.5 }), /again in 1 second\.$/);
  assert.match(sentenceOf({ code: "bad-name" }), /1 to 32 characters, without spaces/);
});

test("a name is checked before the page connects", () => {
  for (const name of ["", "ann", "Zoë", "\u{1f600}".repeat(32)]) assert.ok(isName(name), name);
  for (const name of ["ann smith", "a\u200bb", "x".repeat(33)]) assert.ok(!isName(name), name);
});
