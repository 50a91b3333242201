/** Bytes, checksums, names, keys and links. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as crc32OfNode } from "node:zlib";

import {
  ByteQueue,
  decodeBase64Url,
  encodeText,
  randomId,
} from "../../../chatd/web/page/chatd/bytes.js";
import { crc32 } from "../../../chatd/web/page/chatd/crc32.js";
import { parseLink } from "../../../chatd/web/page/chatd/links.js";
import { readKey } from "../../../chatd/web/page/chatd/keys.js";
import { fold } from "../../../chatd/web/page/chatd/names.js";
import { toHex, vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;

test("CRC32 has the check value of its polynomial, and that of Node for every length", () => {
  assert.equal(crc32(new Uint8Array(0)), 0);
  assert.equal(crc32(encodeText("123456789")), 0xcbf43926);
  if (crc32OfNode === undefined) return; // Node 20.15 has it
  for (let length = 0; length < 100; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 89 + length) & 255);
    assert.equal(crc32(bytes), crc32OfNode(bytes));
  }
});

test("base64url is read with and without padding, and nothing else is read", () => {
  assert.equal(toHex(decodeBase64Url("-_8=")), "fbff");
  assert.equal(toHex(decodeBase64Url("-_8")), "fbff");
  for (const wrong of ["+/8=", "a", "a b", "ä", "=", "a=b"]) {
    assert.ok(decodeBase64Url(wrong) === null || wrong === "=", wrong);
  }
});

test("a queue gives its bytes back in order, whatever the pieces", () => {
  const queue = new ByteQueue();
  for (const piece of ["ab", "", "c", "defg"]) queue.push(encodeText(piece));
  assert.equal(queue.size, 7);
  queue.drop(3);
  assert.equal(new TextDecoder().decode(queue.peek()), "defg");
  assert.equal(new TextDecoder().decode(queue.takeAll()), "defg");
  assert.equal(queue.size, 0);
});

test("a key is the text or the bytes of its file, with or without padding, or 32 bytes", () => {
  const bare = KEY.replace(/=+$/, "");
  const raw = readKey(KEY);
  for (const key of [bare, ` ${KEY}\n`, encodeText(`${KEY}\n`), raw, raw.slice().buffer]) {
    assert.equal(toHex(readKey(key)), vectors.keys.key);
  }
});

test("what is no key is refused with one sentence", () => {
  for (const wrong of ["", "key", KEY.slice(1), `${KEY}A`, new Uint8Array(31), 5, null]) {
    assert.throws(() => readKey(wrong), { name: "ChatError", code: "bad-key" });
  }
});

test("names are the same as at the server", () => {
  for (const [one, other] of [
    ["Zoë", "ZOE\u0308"],
    ["straße", "STRASSE"],
    ["STRAẞE", "strasse"],
    ["ΣΑΣ", "σας"],
    ["K", "k"],
    ["a\ufe0f", "A"],
  ]) {
    assert.equal(fold(one), fold(other), `${one} ${other}`);
  }
  assert.notEqual(fold("ı"), fold("i"));
  assert.notEqual(fold("a"), fold("b"));
});

test("ids are unlike each other", () => {
  const ids = new Set(Array.from({ length: 1000 }, randomId));
  assert.equal(ids.size, 1000);
  assert.match(randomId(), /^[0-9a-f]{32}$/);
});

test("a link has the address, the key and the room", () => {
  const bare = KEY.replace(/=+$/, "");
  assert.deepEqual(parseLink(`https://chat.example/#key=${bare}&room=a%20b%2B%26+c`), {
    url: "wss://chat.example/ws",
    key: bare,
    room: "a b+&+c",
  });
  assert.deepEqual(parseLink("http://localhost:8080/chat/"), {
    url: "ws://localhost:8080/chat/ws",
    key: null,
    room: null,
  });
  assert.equal(parseLink("https://h/chat/index.html#room=x").url, "wss://h/chat/ws");
  assert.equal(parseLink("wss://h/elsewhere#room=x").url, "wss://h/elsewhere");
  assert.equal(parseLink("https://h/#room=").room, null);
});

test("what is no link is refused", () => {
  for (const wrong of [
    "",
    "chat.example",
    "ftp://h/",
    "javascript:alert(1)",
    "https://h/#room=%",
  ]) {
    assert.throws(() => parseLink(wrong), { name: "ChatError", code: "bad-link" }, wrong);
  }
  assert.throws(() => parseLink("https://h/#key=short"), { name: "ChatError", code: "bad-key" });
});
