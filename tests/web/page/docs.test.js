/** The page of the library, compared with the library. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ChatClient, ChatError, LOCAL_CODES } from "../../../chatd/web/page/chatd/index.js";

const ROOT = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/reference/javascript.md", ROOT), "utf8");
const source = (name) => readFileSync(new URL(`chatd/web/page/chatd/${name}`, ROOT), "utf8");

/** @returns {string[][]} The cells of the table whose title row begins with a word. */
function table(word) {
  const [, rows] = new RegExp(`^\\| ${word} \\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(page);
  const lines = rows.trim().split("\n");
  return lines.map((line) => line.slice(2, -2).split(" | "));
}

function namesIn(word) {
  return table(word).flatMap(([first]) => first.match(/[\w-]+/g));
}

test("the page has each code of the library, and what it means", () => {
  const tables = page.split("\n| code | meaning |\n");
  assert.equal(tables.length, 2);
  const listed = table("code").map(([code, meaning]) => [code.replaceAll("`", ""), meaning]);
  assert.deepEqual(listed, Object.entries(LOCAL_CODES));
});

test("the page has each option", () => {
  const [, typedef] = /@typedef \{object\} Options\n(.*?)\*\//s.exec(source("options.js"));
  const options = Array.from(typedef.matchAll(/@property .*? \[(\w+)\]/g), ([, name]) => name);
  assert.ok(options.length > 5);
  assert.deepEqual(namesIn("option"), options);
});

test("the page has each member of a client", () => {
  const own = ["welcomed"];
  const members = Object.getOwnPropertyNames(ChatClient.prototype);
  const expected = [...own, ...members.filter((name) => name !== "constructor")];
  assert.deepEqual(namesIn("member").sort(), expected.sort());
});

test("the page has each event", () => {
  const code = source("client.js") + source("incoming.js");
  const literal = Array.from(code.matchAll(/#tell\(\s*"([\w-]+)"/g), ([, type]) => type);
  const sets = Array.from(code.matchAll(/new Set\(\[(.*?)\]\)/g), ([, types]) => types);
  const fromSets = sets.flatMap((types) => Array.from(types.matchAll(/"([\w-]+)"/g), ([, t]) => t));
  const expected = new Set([...literal, ...fromSets]);
  assert.ok(expected.has("room-changed") && expected.has("state"));
  assert.deepEqual(namesIn("event").sort(), [...expected].sort());
});

test("the page has each field of an error", () => {
  const fields = Object.keys(new ChatError("code", "message")).filter((name) => name !== "name");
  assert.deepEqual(namesIn("field").sort(), [...fields, "message"].sort());
});
