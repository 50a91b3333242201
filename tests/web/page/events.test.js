import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_ITEMS } from "../../../chatd/web/page/app/conversation.js";
import { Events } from "../../../chatd/web/page/app/events.js";
import { Chat, MAX_DIRECT } from "../../../chatd/web/page/app/state.js";
import { readPages } from "../../../chatd/web/page/chatd/lists.js";

/** A client that a test speaks for. */
class FakeClient extends EventTarget {
  name = "alice";
  state = "open";
  asked = [];
  histories = [];
  answers = {};

  tell(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  async history(place, { before, limit }) {
    this.asked.push(["history", place, before, limit]);
    if (this.histories.length === 0) throw Object.assign(new Error("no"), { code: "not-stored" });
    return this.histories.shift();
  }

  pages(name, fields = {}) {
    return readPages((command, given) => this.command(command, given), name, fields);
  }

  async command(name, fields) {
    this.asked.push([name, fields?.room, fields?.after]);
    const answer = this.answers[name];
    if (answer === undefined) throw Object.assign(new Error("no"), { code: "not-allowed" });
    return typeof answer === "function" ? answer(fields) : answer;
  }
}

function message(seq, fields = {}) {
  const base = { id: `m${seq}`, room: "lobby", to: null, from: "bob", seq, time: seq };
  const content = { content: new Uint8Array(2), contentType: "text/plain", text: `text ${seq}` };
  return { ...base, ...content, own: false, ...fields };
}

function begin(lastRead = {}) {
  const client = new FakeClient();
  const chat = new Chat();
  const seen = { states: [], arrived: [], changes: 0 };
  const events = new Events(client, chat, {
    changed: () => (seen.changes += 1),
    isSeen: () => true,
    lastRead: ({ kind, key }) => lastRead[key] ?? (kind === "direct" ? -1 : null),
    arrived: (message) => seen.arrived.push(message.id),
    grown: (conversation) => conversation.trim(),
    stateChanged: ({ state }) => seen.states.push(state),
    now: () => 1000,
  });
  const join = (room = "lobby", epoch = "e1") => {
    client.tell("joined", { room, epoch, name: "alice", own: true, topic: null });
    return chat.find("room", room);
  };
  return { client, chat, events, seen, join };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const texts = ({ items }) => items.map(({ text }) => text);

test("a joined room shows its history, its people and its topic", async () => {
  const { client, chat, join } = begin();
  client.histories = [{ messages: [message(1), message(2)], epoch: "e1", complete: true }];
  client.answers.who = ({ after }) =>
    after === undefined
      ? { names: ["alice"], next: "alice" }
      : { names: ["Bob"], away: { Bob: "lunch" }, private: true };
  client.answers.topic = { room: "lobby", topic: "all things" };
  const room = join();
  await settle();
  assert.equal(chat.current, room);
  assert.deepEqual(texts(room), ["text 1", "text 2"]);
  assert.deepEqual([...room.people.names.values()], ["alice", "Bob"]);
  assert.deepEqual(
    [room.people.away.get("bob"), room.topic, room.isPrivate],
    ["lunch", "all things", true],
  );
});

test("who comes and goes while the list is read is in it, or not", async () => {
  const { client, join } = begin();
  const answers = [];
  client.answers.who = () => new Promise((answer) => answers.push(answer));
  client.answers.topic = { topic: "" };
  const room = join();
  await settle();
  client.tell("joined", { room: "lobby", name: "Cid", own: false });
  client.tell("left", { room: "lobby", name: "Dan", own: false });
  client.tell("renamed", { name: "Eva", oldName: "Eve", own: false });
  answers[0]({ names: ["alice", "Dan", "Eve"], away: { Eve: "tea" } });
  await settle();
  assert.deepEqual([...room.people.names.values()].sort(), ["Cid", "Eva", "alice"]);
  assert.deepEqual([...room.people.away], [["eva", "tea"]]);
});

test("a list that is read again is not read to its end twice, and an old answer tells nothing", async () => {
  const { client, events, join } = begin();
  let answer = () => {};
  const pages = [new Promise((resolve) => (answer = resolve)), { names: ["bob"] }];
  client.answers.who = () => pages.shift();
  const room = join();
  await settle();
  client.tell("room-changed", { room: "lobby", private: false, name: "olga" });
  void events.readPeople(room);
  await settle();
  answer({ names: ["alice"], private: true, next: "b" });
  await settle();
  assert.deepEqual([[...room.people.names.values()], room.isPrivate], [["bob"], false]);
  assert.equal(client.asked.filter(([what]) => what === "who").length, 2);
});

test("a topic that is set while the topic is read stays", async () => {
  const { client, join } = begin();
  client.answers.who = { names: ["alice"] };
  client.answers.topic = async () => {
    client.tell("topic", { room: "lobby", topic: "new", name: "bob" });
    return { topic: "old" };
  };
  const room = join();
  await settle();
  assert.equal(room.topic, "new");
});

test("what joins before the session is open is read when it opens", async () => {
  const { client, seen, join } = begin();
  client.state = "connecting";
  join();
  assert.deepEqual(client.asked, []);
  client.state = "open";
  client.histories = [{ messages: [], epoch: "e1", complete: true }];
  client.tell("state", { state: "open" });
  await settle();
  assert.deepEqual(client.asked[0], ["history", "lobby", undefined, 100]);
  assert.deepEqual(seen.states, ["open"]);
});

test("earlier pages go on before the first message, one at a time, until all is here", async () => {
  const { client, events, join } = begin();
  client.histories = [
    { messages: [message(5), message(6)], epoch: "e1", complete: false },
    { messages: [message(3), message(4)], epoch: "e1", complete: false },
    { messages: [], epoch: "e1", complete: true },
  ];
  const room = join();
  await settle();
  void events.readOlder(room);
  await events.readOlder(room);
  await settle();
  await events.readOlder(room);
  await events.readOlder(room);
  const asked = client.asked.filter(([what]) => what === "history");
  assert.deepEqual(
    asked.map(([, , before]) => before),
    [undefined, 5, 3],
  );
  assert.deepEqual(texts(room), ["text 3", "text 4", "text 5", "text 6"]);
});

test("history that cannot be read is a notice, and is not asked for again and again", async () => {
  const { client, chat, events, join } = begin();
  const room = join();
  await settle();
  assert.match(texts(room)[0], /cannot read its messages/);
  const count = client.asked.length;
  await events.readOlder(room);
  assert.equal(client.asked.length, count);
  assert.doesNotMatch(chat.hint, /Nobody has written/);
  client.histories = [{ messages: [message(1)], epoch: "e1", complete: true }];
  client.tell("state", { state: "open" });
  await settle();
  assert.equal(texts(room)[0], "text 1", "the next session asks again");
});

test("a page that comes after older messages were dropped leaves no hole", async () => {
  const { client, events, join } = begin();
  const range = (first, last) =>
    Array.from({ length: last - first + 1 }, (_, index) => message(first + index));
  client.histories = [{ messages: range(1001, 1000 + MAX_ITEMS), epoch: "e1", complete: false }];
  const room = join();
  await settle();
  client.histories = [{ messages: range(801, 1000), epoch: "e1", complete: false }];
  const reading = events.readOlder(room);
  for (const each of range(1001 + MAX_ITEMS, 1010 + MAX_ITEMS)) client.tell("message", each);
  await reading;
  const seqs = room.items.map(({ seq }) => seq);
  assert.ok(seqs.every((seq, index) => index === 0 || seq === seqs[index - 1] + 1));
});

test("history that does not go on is asked for once", async () => {
  const { client, events, join } = begin();
  const page = { messages: [message(5)], epoch: "e1", complete: false };
  client.histories = [page, page, page];
  const room = join();
  await settle();
  await events.readOlder(room);
  await events.readOlder(room);
  assert.equal(client.asked.filter(([what]) => what === "history").length, 2);
});

test("a room that was never joined does not appear", () => {
  const { client, chat } = begin();
  client.tell("message", message(1, { room: "foreign" }));
  client.tell("topic", { room: "foreign", topic: "x", name: "bob" });
  client.tell("room-changed", { room: "foreign", private: true, name: "olga" });
  client.tell("joined", { room: "foreign", name: "bob", own: false });
  assert.deepEqual(chat.rooms, []);
});

test("of more conversations than the page keeps, those with something new stay", async () => {
  const { client, chat, events } = begin(
    Object.fromEntries(Array.from({ length: 300 }, (_, number) => [`direct:p${1000 + number}`, 5])),
  );
  client.answers.conversations = {
    conversations: Array.from({ length: 300 }, (_, number) => {
      return { with: `p${1000 + number}`, epoch: "d", seq: number === 3 ? 6 : 5 };
    }),
  };
  const told = { from: "p1003", room: null, to: "alice" };
  client.histories = [{ messages: [message(6, told)], epoch: "d", complete: true }];
  await events.readOnce();
  await settle();
  assert.deepEqual([chat.direct.length, chat.find("direct", "p1003")?.unread], [MAX_DIRECT, 1]);
});

test("under another epoch the room begins anew, with a notice", async () => {
  const { client, join } = begin();
  client.histories = [
    { messages: [message(7)], epoch: "e1", complete: true },
    { messages: [message(1)], epoch: "e2", complete: true },
  ];
  const room = join();
  await settle();
  join("lobby", "e2");
  await settle();
  assert.deepEqual(texts(room).sort(), [
    "The server began anew: it no longer has the earlier messages.",
    "text 1",
  ]);
});

test("history of an earlier epoch that comes late is dropped", async () => {
  const { client, join } = begin();
  client.histories = [{ messages: [message(7)], epoch: "e1", complete: true }];
  const room = join();
  room.epoch = "e2";
  await settle();
  assert.deepEqual(texts(room), []);
});

test("missing messages are told", () => {
  const { client, chat, join } = begin();
  client.state = "connecting";
  const room = join();
  client.tell("recovered", { room: "lobby", recovered: true });
  assert.deepEqual(texts(room), []);
  client.tell("recovered", { room: "lobby", recovered: false });
  assert.match(texts(room)[0], /missing/);
  client.tell("recovered", { with: "nobody", recovered: false });
  assert.equal(chat.direct.length, 0);
  client.tell("message", message(1, { room: null, to: "alice" }));
  client.tell("recovered", { with: "bob", recovered: false });
  assert.match(texts(chat.find("direct", "bob")).at(-1), /may be missing/);
});

test("people come, go, and take other names", () => {
  const { client, join } = begin();
  client.state = "connecting";
  const room = join();
  client.tell("joined", { room: "lobby", name: "Bob", own: false });
  client.tell("renamed", { name: "Rob", oldName: "Bob", own: false });
  assert.deepEqual([...room.people.names.values()], ["Rob"]);
  client.tell("left", { room: "lobby", name: "Rob", own: false, by: "olga", reason: "noise" });
  assert.deepEqual([...room.people.names.values()], []);
  assert.deepEqual(texts(room), ["Bob is now Rob.", "olga removed Rob: noise."]);
});

test("a left room is gone, and a room that removes this person stays to be read", () => {
  const { client, chat, join } = begin();
  client.state = "connecting";
  const [one] = [join("one"), join("two")];
  client.tell("left", { room: "two", name: "alice", own: true, removed: false });
  assert.deepEqual(chat.rooms, [one]);
  client.tell("left", { room: "one", name: "alice", own: true, removed: true });
  assert.equal(one.isJoined, false);
  assert.match(texts(one)[0], /removed/);
});

test("notices go where they belong", () => {
  const { client, chat, join } = begin();
  client.state = "connecting";
  const room = join();
  const bob = chat.open("direct", "bob");
  client.tell("topic", { room: "lobby", topic: "x", name: "bob" });
  client.tell("topic", { room: "lobby", topic: "", name: "bob" });
  client.tell("room-changed", { room: "lobby", private: true, name: "olga" });
  client.tell("invited", { room: "den", name: "olga" });
  client.tell("error", { code: "odd", message: "it broke" });
  client.tell("away", { name: "bob", text: "lunch", ref: "1" });
  client.tell("absent", { name: "bob", ref: "1" });
  assert.equal(texts(room).length, 5);
  assert.equal(texts(room)[4], "It broke.");
  assert.deepEqual([texts(bob).length, room.isPrivate, room.topic], [2, true, ""]);
});

test("a message arrives once, and spells the name of the person", () => {
  const { client, chat, seen } = begin();
  const bob = chat.open("direct", "bob");
  const direct = message(1, { room: null, to: "alice", from: "Bob" });
  client.tell("message", direct);
  client.tell("message", direct);
  assert.deepEqual([seen.arrived, bob.name, bob.items.length], [["m1"], "Bob", 1]);
});

test("direct messages of earlier days are listed, and nothing else is asked", async () => {
  const { client, chat, events } = begin();
  client.answers.conversations = ({ after }) =>
    after === undefined
      ? { conversations: [{ with: "bob" }], next: "bob" }
      : { conversations: [{ with: "eve" }] };
  await events.readOnce();
  assert.deepEqual(
    chat.direct.map(({ name }) => name),
    ["bob", "eve"],
  );
  assert.deepEqual(
    client.asked.map(([command]) => command),
    ["conversations", "conversations"],
  );
  client.answers = {};
  client.histories = [{ messages: [], epoch: "d1", complete: true }];
  await events.readOnce();
  await events.readOlder(chat.direct[0]);
  assert.deepEqual([chat.direct.length, chat.direct[0].epoch], [2, "d1"]);
});

test("notices do not pile up", () => {
  const { client, join } = begin();
  const room = join();
  for (let number = 0; number <= MAX_ITEMS; number += 1) {
    client.tell("topic", { room: "lobby", topic: `${number}`, name: "eve" });
  }
  assert.equal(room.items.length, (MAX_ITEMS * 2) / 3);
  assert.equal(texts(room).at(-1), `eve set the topic: ${MAX_ITEMS}`);
});

test("of a long list of conversations, the page keeps as many as it can show", async () => {
  const { client, chat, events } = begin();
  client.answers.conversations = ({ after = "p100" }) => {
    const first = Number(after.slice(1));
    return {
      conversations: Array.from({ length: 100 }, (_, number) => ({ with: `p${first + number}` })),
      next: first < 900 ? `p${first + 100}` : null,
    };
  };
  await events.readOnce();
  assert.equal(chat.direct.length, MAX_DIRECT);
});

test("what came while the page was closed is unread", async () => {
  const { client, chat, events, join } = begin({ "room:lobby": 1, "direct:carol": 7 });
  client.histories = [
    { messages: [1, 2, 3].map((seq) => message(seq)), epoch: "e1", complete: true },
  ];
  const lobby = join();
  await settle();
  assert.equal(lobby.unread, 2);
  client.histories = [{ messages: [4, 5].map((seq) => message(seq)), epoch: "e1", complete: true }];
  const first = join("unknown");
  await settle();
  assert.equal(first.unread, 0, "the person was never in this room");
  const told = { from: "bob", room: null, to: "alice" };
  const own = { from: "alice", room: null, to: "bob", own: true };
  client.answers.conversations = {
    conversations: [
      { with: "bob", epoch: "d", seq: 3 },
      { with: "carol", epoch: "d", seq: 7 },
    ],
  };
  const messages = [message(1, told), message(2, own), message(3, told)];
  client.histories = [{ messages, epoch: "d", complete: true }];
  await events.readOnce();
  await settle();
  assert.deepEqual(
    [chat.find("direct", "bob").unread, chat.find("direct", "carol").unread],
    [1, 0],
  );
  const asked = client.asked.filter(([, place]) => place?.with !== undefined);
  assert.equal(asked.length, 1, "the page reads only what is not seen");
});

test("each listed conversation is opened once, and the last 20 with news are read", async () => {
  const { client, chat, events } = begin({ "direct:seen": 1 });
  const names = ["seen", ...Array.from({ length: 25 }, (_, number) => `p${number}`)];
  client.answers.conversations = {
    conversations: names.map((name) => ({ with: name, epoch: "d", seq: 1 })),
  };
  const opened = [];
  const open = chat.open.bind(chat);
  chat.open = (kind, name) => {
    opened.push(name);
    return open(kind, name);
  };
  await events.readOnce();
  assert.deepEqual(opened, names);
  const read = client.asked.filter(([command]) => command === "history");
  assert.deepEqual(
    read.map(([, place]) => place.with),
    names.slice(-20),
  );
});

test("after a kick nobody is here, nothing can be written, and the next session has the rest", () => {
  const { client, chat, join } = begin();
  const room = join();
  room.people.came("Bob");
  assert.equal(chat.closed, "");
  room.draft = "half";
  room.addPending("x", "alice", "waiting", 1);
  client.tell("state", { state: "ended", error: { code: "kicked", message: "noise" } });
  assert.deepEqual([room.people.names.size, chat.closed], [0, "The session has ended."]);
  const next = begin();
  next.chat.takeUnsent(chat);
  const again = next.chat.find("room", "lobby");
  assert.equal(next.chat.current, again);
  assert.equal(next.chat.closed, "You are not in this room.");
  next.join();
  assert.deepEqual([next.chat.closed, again.draft, again.pending.length], ["", "half", 1]);
  assert.equal(new Chat().closed, "Join a room to write.");
});
