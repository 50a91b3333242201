import assert from "node:assert/strict";
import { test } from "node:test";

import { Acts } from "../../../chatd/web/page/app/acts.js";
import { Chat } from "../../../chatd/web/page/app/state.js";

/** Open the menu of a person; return what it offers, and what the server was asked. */
async function menuOf(name, answer) {
  const chat = new Chat();
  chat.name = "Ann";
  const asked = [];
  const client = {
    async command(command) {
      asked.push(command);
      return answer();
    },
  };
  const shown = [];
  const ask = (title, body, choices, closing, later) => shown.push({ title, choices, later });
  new Acts(client, chat, { ask, close() {} }, () => {}).person(name);
  const [{ title, choices, later }] = shown;
  const offered = [...choices, ...(await later)].map(({ text }) => text);
  return { title, offered, asked };
}

test("an operator can kick and ban from the menu of somebody else", async () => {
  const { title, offered, asked } = await menuOf("bob", () => ({ bans: [] }));
  assert.deepEqual([title, offered], ["bob", ["Write", "Kick…", "Ban…"]]);
  assert.deepEqual(asked, ["bans"]);
});

test("others can only write, and the answer of the server is not shown", async () => {
  const { offered } = await menuOf("bob", () => {
    throw Object.assign(new Error("no"), { code: "not-allowed" });
  });
  assert.deepEqual(offered, ["Write"]);
});

test("nothing is asked for a person's own menu", async () => {
  const { offered, asked } = await menuOf("ANN", () => ({ bans: [] }));
  assert.deepEqual([offered, asked], [["Write"], []]);
});

test("when the last conversation is closed, the page is told that there is none", async () => {
  const chat = new Chat();
  const room = chat.open("room", "lobby");
  chat.current = room;
  const left = [];
  const client = { leave: async (name) => void left.push(name) };
  const shown = [];
  const dialogs = { ask() {}, close() {}, marker: () => () => false };
  const acts = new Acts(client, chat, dialogs, (each) => shown.push(each));
  await acts.leave(room);
  assert.deepEqual([left, shown], [["lobby"], [null]]);
});

test("an answer that comes late closes no other dialog, and moves the person nowhere", async () => {
  const chat = new Chat();
  const here = chat.open("room", "here");
  const other = chat.open("room", "other");
  chat.current = here;
  const client = { leave: async () => {} };
  const done = [];
  const dialogs = { ask() {}, close: () => done.push("closed"), marker: () => () => false };
  const acts = new Acts(client, chat, dialogs, (each) => done.push(each));
  await acts.leave(other);
  assert.deepEqual([done, chat.current, chat.rooms], [[], here, [here]]);
});
