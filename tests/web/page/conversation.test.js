import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Conversation,
  MAX_CHARACTERS,
  MAX_ITEMS,
} from "../../../chatd/web/page/app/conversation.js";
import {
  Chat,
  MAX_DIRECT,
  MAX_DIRECT_CHARACTERS,
  mentions,
} from "../../../chatd/web/page/app/state.js";

export function message(seq, fields = {}) {
  const base = {
    id: `m${seq}`,
    room: "lobby",
    to: null,
    from: "bob",
    seq,
    time: 1000 + (seq ?? 0),
  };
  return {
    ...base,
    content: new Uint8Array(2),
    contentType: "text/plain",
    text: "hi",
    own: false,
    ...fields,
  };
}

const seqs = ({ items }) => items.map(({ seq }) => seq);

test("messages are in the order of seq, each once", () => {
  const room = new Conversation("room", "lobby");
  for (const seq of [3, 5, 4, 3, 1, 5]) room.add(message(seq));
  assert.deepEqual(seqs(room), [1, 3, 4, 5]);
  assert.equal(room.add(message(4)), false);
});

test("a page of history goes before what is here, and brings nothing twice", () => {
  const room = new Conversation("room", "lobby");
  for (const seq of [4, 6]) room.add(message(seq));
  room.addOlder(
    [1, 2, 3, 4, 5].map((seq) => message(seq)),
    true,
  );
  assert.deepEqual(seqs(room), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([room.isWhole, room.firstSeq], [true, 1]);
});

test("a message waits until the server confirms it", () => {
  const room = new Conversation("room", "lobby");
  room.addPending("x", "alice", "hello", 1);
  assert.equal(room.pending[0].refusal, "");
  room.add(message(1, { id: "x", from: "bob" }));
  assert.equal(room.pending.length, 1, "another's message with the same id confirms nothing");
  room.add(message(2, { id: "x", from: "alice", own: true }));
  assert.deepEqual([room.pending, seqs(room)], [[], [1, 2]]);
});

test("a refused message stays with its reason until its writer discards it", () => {
  const room = new Conversation("room", "lobby");
  room.addPending("x", "alice", "hello", 1);
  const [waiting] = room.pending;
  room.refused("x", "No.");
  assert.equal(room.pending[0].refusal, "No.");
  assert.notEqual(room.pending[0], waiting, "another object: its row is drawn anew");
  room.refused("y", "No.");
  room.confirmed("x");
  assert.deepEqual(room.pending, []);
});

test("under another epoch the messages are gone, and history is read again", () => {
  const room = new Conversation("room", "lobby");
  assert.equal(room.enter("one"), false);
  room.addOlder([message(7)], true);
  assert.equal(room.enter("one"), false);
  assert.equal(room.enter("two"), true);
  assert.deepEqual([room.items, room.isRead, room.isWhole], [[], false, false]);
  room.add(message(1));
  assert.deepEqual(seqs(room), [1]);
});

test("notices keep their places between messages", () => {
  const room = new Conversation("room", "lobby");
  room.add(message(1));
  room.addNotice("bob left", 1001.5);
  room.add(message(2));
  room.addNotice("bob came", 5000);
  assert.deepEqual(seqs(room), [1, null, 2, null]);
  room.add(message(2));
  assert.equal(room.items.length, 4);
});

test("only the newest messages stay, by number and by size", () => {
  const room = new Conversation("room", "lobby");
  room.isWhole = true;
  for (let seq = 1; seq <= MAX_ITEMS; seq += 1) room.add(message(seq));
  room.trim();
  assert.equal(room.items.length, MAX_ITEMS);
  room.add(message(MAX_ITEMS + 1));
  room.trim();
  assert.equal(room.items.length, (MAX_ITEMS * 2) / 3);
  assert.equal(room.items.at(-1).seq, MAX_ITEMS + 1);
  assert.equal(room.isWhole, false);
  const half = "x".repeat(MAX_CHARACTERS / 2);
  for (const seq of [5001, 5002, 5003]) room.add(message(seq, { text: half }));
  room.trim();
  assert.deepEqual(seqs(room), [5002, 5003]);
});

test("content that is no text has no characters", () => {
  const room = new Conversation("direct", "bob");
  room.add(message(1, { text: null, contentType: "image/png" }));
  assert.deepEqual([room.items[0].text, room.items[0].size], [null, 2]);
  assert.deepEqual(room.place, { to: "bob" });
});

test("each spelling of a name is the same conversation", () => {
  const chat = new Chat();
  assert.equal(chat.open("room", "Straße"), chat.open("room", "STRASSE"));
  assert.notEqual(chat.open("room", "bob"), chat.open("direct", "bob"));
});

test("what the person does not see is unread", () => {
  const chat = new Chat();
  chat.name = "alice";
  chat.current = chat.open("room", "lobby");
  chat.open("room", "other");
  chat.take(message(1), true);
  assert.equal(chat.title, "lobby · chatd");
  chat.take(message(2), false);
  chat.take(message(1, { room: "other" }), true);
  chat.take(message(2, { room: "other", own: true }), true);
  assert.equal(chat.take(message(2), false), null);
  assert.equal(chat.title, "(2) lobby · chatd");
});

test("direct messages go to the conversation with the other person", () => {
  const chat = new Chat();
  chat.take(message(1, { room: null, to: "alice" }), true);
  chat.take(message(2, { room: null, from: "alice", to: "bob", own: true }), true);
  assert.deepEqual([chat.direct.length, chat.find("direct", "BOB").items.length], [1, 2]);
  const told = message(null, { room: null, to: null, from: "server" });
  assert.equal(chat.take(told, true), null);
  chat.current = chat.direct[0];
  assert.equal(chat.take(told, true), chat.current);
});

const from = (name, fields = {}) => message(1, { room: null, to: "alice", from: name, ...fields });

test("of too many direct conversations, the oldest read ones go first, then the oldest", () => {
  const chat = new Chat();
  chat.current = chat.open("room", "lobby");
  for (const name of ["unread", "read", "used"]) chat.take(from(name), true);
  chat.find("direct", "read").unread = 0;
  chat.find("direct", "used").unread = 0;
  for (let number = 3; number < MAX_DIRECT; number += 1) chat.take(from(`p${number}`), true);
  chat.open("direct", "used");
  assert.equal(chat.direct.length, MAX_DIRECT);
  for (const [number, name] of ["read", "used", "unread", "p3"].entries()) {
    chat.take(from(`new${number}`), true);
    assert.equal(chat.direct.length, MAX_DIRECT);
    assert.equal(chat.find("direct", name), undefined);
  }
  assert.equal(chat.rooms.length, 1);
  assert.ok(chat.find("direct", "p4"));
  assert.equal(chat.find("direct", "new3").items.length, 1);
});

test("the conversation on the screen stays, and so do a person's own unsent words", () => {
  const chat = new Chat();
  const [shown, drafted, waiting] = ["shown", "drafted", "waiting"].map((name) => {
    return chat.open("direct", name);
  });
  chat.current = shown;
  drafted.draft = "dear";
  waiting.addPending("x", "alice", "hello", 1);
  for (let number = 0; number < 2 * MAX_DIRECT; number += 1) chat.take(from(`p${number}`), true);
  assert.equal(chat.direct.length, MAX_DIRECT);
  assert.deepEqual(chat.direct.slice(0, 3), [shown, drafted, waiting]);
});

test("long direct messages of many people do not fill the memory", () => {
  const chat = new Chat();
  const text = "x".repeat(MAX_DIRECT_CHARACTERS / 4);
  for (let number = 0; number < 6; number += 1) chat.take(from(`p${number}`, { text }), false);
  assert.deepEqual(
    chat.direct.map(({ name }) => name),
    ["p2", "p3", "p4", "p5"],
  );
});

test("notices count as characters", () => {
  const room = new Conversation("room", "lobby");
  room.addNotice("bob left", 1);
  assert.equal(room.characters, 8);
});

test("the next conversation is around the end", () => {
  const chat = new Chat();
  assert.equal(chat.neighbour(1), null);
  const [one, two] = [chat.open("room", "one"), chat.open("room", "two")];
  const bob = chat.open("direct", "bob");
  chat.current = one;
  assert.deepEqual([chat.neighbour(-1), chat.neighbour(1)], [bob, two]);
  chat.close(one);
  assert.equal(chat.current, two);
});

test("a message calls the person it names, and whom it is for", () => {
  const chat = new Chat();
  chat.name = "Ann";
  assert.ok(chat.calls(message(1, { text: "hello ann!" })));
  assert.ok(!chat.calls(message(1, { text: "planning" })));
  assert.ok(!chat.calls(message(1, { text: null })));
  assert.ok(!chat.calls(message(1, { text: "ann", own: true })));
  assert.ok(chat.calls(message(1, { room: null, to: "Ann" })));
  assert.ok(mentions("x_ann, (ann)", "ann"));
  assert.ok(!mentions("anything", ""));
});

test("the first unread message is marked when the person sees it", () => {
  const room = new Conversation("room", "lobby");
  for (const seq of [1, 2, 3]) room.add(message(seq));
  room.see();
  assert.equal(room.newFrom, null);
  room.add(message(4, { own: true }));
  room.unread = 2;
  room.see();
  assert.deepEqual([room.newFrom.seq, room.unread], [2, 0]);
});

test("where there is nothing to read, a hint says what to do", () => {
  const chat = new Chat();
  assert.match(chat.hint, /no room/);
  chat.current = chat.open("room", "lobby");
  assert.equal(chat.hint, "", "history may come");
  chat.current.addOlder([], true);
  assert.match(chat.hint, /first message/);
  chat.current.add(message(1));
  assert.equal(chat.hint, "");
});
