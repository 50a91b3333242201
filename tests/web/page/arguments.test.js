/** Wrong arguments: each is refused at once, by its name, and nothing of it goes to the server. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established } from "./clients.js";
import { makeNetwork } from "./peer.js";

const LONG = "x".repeat(65);
/** Values that are neither text nor missing. */
const NO_TEXTS = [5, 0, true, null, {}, [], "", LONG];
/** Values that are no options. */
const NO_OPTIONS = ["lobby", null, 5, ["lobby"], new Map([["room", "den"]]), () => {}];

/** Assert that calls of an open client are refused, by what their errors have to say. */
async function assertRefused(...calls) {
  const { client, peer } = await established();
  const isPong = peer.next().then(({ type }) => assert.equal(type, Type.HEARTBEAT, "it was sent"));
  for (const [call, message] of calls) {
    const refused = { name: "ChatError", code: "bad-argument", message };
    await Promise.race([assert.rejects(call(client), refused), isPong]);
  }
  assert.equal(client.unconfirmed, 0);
  await peer.send(Type.HEARTBEAT, { n: 1 }, "ping");
  await isPong;
}

async function first(pages) {
  const { value } = await pages.next();
  return value;
}

describe("send", () => {
  for (const name of ["id", "room", "to"]) {
    test(`refuses a wrong ${name}`, () =>
      assertRefused(
        ...NO_TEXTS.map((wrong) => [
          (client) => client.send("x", { [name]: wrong }),
          `send: ${name} must be text of 1 to 64 characters`,
        ]),
      ));
  }

  test("refuses a wrong content type", () =>
    assertRefused(
      ...[5, null, "", "x".repeat(256), "a\nb", "a\u0085"].map((wrong) => [
        (client) => client.send("x", { contentType: wrong }),
        /^send: contentType must be text of 1 to 255 characters without control characters$/,
      ]),
    ));

  test("refuses half a character in any text", () =>
    assertRefused(
      [(client) => client.send("\ud800"), /half a character/],
      [(client) => client.send("a\udc00b"), /half a character/],
      ...["id", "room", "to", "contentType"].map((name) => [
        (client) => client.send("x", { [name]: "\ud800" }),
        /half a character/,
      ]),
    ));

  test("refuses options that it does not have", () =>
    assertRefused(
      [
        (client) => client.send("x", { typo: 1 }),
        "send has no option typo, only room, to, id, contentType",
      ],
      [(client) => client.send("x", { typo: undefined }), /no option typo/],
      [(client) => client.send("x", Object.create({ Room: "den" })), /no option Room/],
      ...NO_OPTIONS.map((wrong) => [
        (client) => client.send("x", wrong),
        "the options of send must be an object: room, to, id, contentType",
      ]),
    ));

  test("takes what is just within the limits, and counts characters as the protocol does", async () => {
    const { client, peer } = await established();
    const texts = { id: "😀".repeat(64), contentType: "c".repeat(255) };
    client.send("x", { ...texts, room: "r".repeat(64) });
    client.send("x", { id: "2", to: "t".repeat(64), room: undefined });
    const { header } = await peer.next();
    const { id, content_type: contentType } = header;
    assert.deepEqual({ id, contentType }, texts);
    assert.deepEqual((await peer.next()).header, { id: "2", to: "t".repeat(64) });
  });
});

describe("other calls", () => {
  for (const name of ["join", "leave"]) {
    test(`${name} refuses what is no room, and more than a room`, () =>
      assertRefused(
        [(client) => client[name](), `${name}: room must be text of 1 to 64 characters`],
        ...NO_TEXTS.map((wrong) => [(client) => client[name](wrong), /room must be text/]),
        [(client) => client[name]("den", { after: 5 }), `${name} takes a room alone`],
      ));
  }

  test("history refuses a wrong place, and options that are wrong or that it does not have", () =>
    assertRefused(
      ...[undefined, null, 5, ["lobby"]].map((wrong) => [
        (client) => client.history(wrong),
        "history: the place must be the name of a room, or { with: NAME }",
      ]),
      [(client) => client.history(""), /room must be text/],
      [(client) => client.history({}), /with must be text/],
      [(client) => client.history({ with: 5 }), /with must be text/],
      [(client) => client.history({ room: "lobby" }), /no option room, only with/],
      [(client) => client.history("lobby", { limits: 5 }), /no option limits/],
      ...[0, 501, 1.5, "5", null, NaN].map((wrong) => [
        (client) => client.history("lobby", { limit: wrong }),
        "history: limit must be an integer from 1 to 500",
      ]),
      ...["before", "after"].map((name) => [
        (client) => client.history("lobby", { [name]: -1 }),
        new RegExp(`^history: ${name} must be an integer from 0`),
      ]),
      ...NO_OPTIONS.map((wrong) => [
        (client) => client.history("lobby", wrong),
        /^the options of history must be an object/,
      ]),
    ));

  test("history without a limit asks for 100 messages", async () => {
    const { client, peer } = await established();
    for (const given of [[], [{}], [{ limit: undefined, before: undefined }]]) {
      client.history("lobby", ...given).catch(() => {}); // nobody answers
      const { header } = await peer.next();
      const { id: _, ...fields } = header;
      assert.deepEqual(fields, { command: "history", room: "lobby", limit: 100 });
    }
  });

  for (const [name, call] of [
    ["command", (client, ...given) => client.command(...given)],
    ["pages", (client, ...given) => first(client.pages(...given))],
  ]) {
    test(`${name} refuses what is no command, and fields that are none`, () =>
      assertRefused(
        [(client) => call(client), /command must be text of 1 to 64 characters/],
        ...NO_TEXTS.map((wrong) => [(client) => call(client, wrong), /command must be text/]),
        ...NO_OPTIONS.map((wrong) => [
          (client) => call(client, "who", wrong),
          "the fields of who must be an object",
        ]),
        [(client) => call(client, "who", { id: "a" }), /who cannot have id/],
        [(client) => call(client, "who", { command: "a" }), /who cannot have command/],
      ));
  }

  test("fields that are too long for a header are refused", async () => {
    const { client } = await established();
    const call = client.command("own", { text: "x".repeat(65_536) });
    await assert.rejects(call, { code: "too-large" });
  });
});

describe("connect", () => {
  for (const [options, message] of [
    [{ Name: "alice" }, /^connect has no option Name, only name, key, /],
    [{ name: 5 }, "connect: name must be text"],
    [{ password: null }, "connect: password must be text"],
    [{ rooms: "lobby" }, /^connect: rooms must be a list of rooms, each text of 1 to 64/],
    [{ rooms: [LONG] }, /^connect: rooms must be a list/],
    [{ rooms: [null] }, /^connect: rooms must be a list/],
    [{ reconnect: "no" }, "connect: reconnect must be true or false"],
    [{ persist: 1 }, "connect: persist must be true or false"],
    [{ maxContent: 0 }, /^connect: maxContent must be an integer from 1 to /],
    [{ maxContent: 1.5 }, /^connect: maxContent must be an integer/],
    [{ WebSocket: 5 }, "connect: WebSocket must be a class"],
    [{ WebSocket: null }, "connect: WebSocket must be a class"],
    [{ network: {} }, /^connect: network must be an object with the functions addEventL/],
    [{ clock: {} }, /^connect: clock must be an object with the functions setTimeout, /],
    ...NO_OPTIONS.map((wrong) => [wrong, /^the options of connect must be an object: name, /]),
  ]) {
    test(`refuses ${String(options)} ${JSON.stringify(options)} by its promise`, async () => {
      const { WebSocket } = makeNetwork();
      class CountedSocket extends WebSocket {
        static made = 0;
        constructor(...given) {
          super(...given);
          CountedSocket.made += 1;
        }
      }
      const isObject = Object.prototype.toString.call(options) === "[object Object]";
      const given = isObject ? { WebSocket: CountedSocket, ...options } : options;
      const client = connect("ws://host/ws", given);
      await assert.rejects(client.welcomed, { code: "bad-argument", message });
      assert.equal(client.state, "ended");
      assert.equal(CountedSocket.made, 0);
    });
  }
});
