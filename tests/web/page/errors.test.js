/** What errors tell a program: where it called, which server, and nothing secret. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, start } from "./clients.js";
import { Clock, makeNetwork } from "./peer.js";
import { vectors } from "./vectors.js";

const SECRETS = /secret|hunter|token/;

/** All that Node prints of an error. */
function printed(error) {
  return `${error.stack}\n${JSON.stringify(error)}\n${error.cause?.stack}`;
}

describe("the stack of a refusal begins where the program called", () => {
  for (const [name, call] of [
    ["send", (client) => client.send("x")],
    ["join", (client) => client.join("den")],
    ["leave", (client) => client.leave("den")],
    ["history", (client) => client.history("den")],
    ["command", (client) => client.command("dance")],
    ["pages", (client) => client.pages("who").next()],
  ]) {
    test(name, async () => {
      const { client, peer } = await established();
      const callOfTheProgram = () => call(client);
      const refused = callOfTheProgram().catch((error) => error);
      const { header } = await peer.next();
      const { id: ref } = header;
      await peer.send(Type.ERROR, { code: "internal-error", message: "the disk is full", ref });
      const error = await refused;
      assert.match(error.stack, /^ChatError: the disk is full\n.*callOfTheProgram/s);
      const { code, retry, retryAfter } = error;
      assert.deepEqual([code, retry, retryAfter, error.ref], ["internal-error", true, 5, ref]);
    });
  }

  test("the end of a session, which fails several calls", async () => {
    const { client, peer } = await established({ reconnect: false });
    const oneCall = () => client.command("one");
    const otherCall = () => client.send("x");
    const failed = [oneCall(), otherCall()].map((each) => each.catch((error) => error));
    await peer.next();
    peer.drop();
    const [one, other] = await Promise.all(failed);
    assert.match(one.stack, /oneCall/);
    assert.match(other.stack, /otherCall/);
    assert.equal(one.code, "connection-lost");
    assert.equal(other.code, "connection-lost");
  });

  test("connect", async () => {
    const callOfTheProgram = () => start({ name: "bob" });
    const { client, network } = callOfTheProgram();
    const peer = await network.nextPeer();
    peer.open();
    await peer.send(Type.DISCONNECT, { code: "shutting-down", reason: "later" });
    const error = await client.welcomed.catch((reason) => reason);
    assert.match(error.stack, /^ChatError: later\n.*callOfTheProgram/s);
  });
});

describe("addresses", () => {
  test("a server that cannot be reached is named, without what may be secret", async () => {
    const { WebSocket, nextPeer } = makeNetwork();
    const url = "ws://alice:hunter@host:8080/ws?token=t";
    const client = connect(url, { WebSocket });
    (await nextPeer()).drop();
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "connection-lost");
    assert.equal(error.message, "the server at ws://host:8080/ws cannot be reached");
    assert.doesNotMatch(printed(error), SECRETS);
  });

  test("a server that does not answer is named too", async () => {
    const { WebSocket, nextPeer } = makeNetwork();
    const clock = new Clock();
    const client = connect("wss://alice:hunter@host/ws", { WebSocket, clock });
    await nextPeer();
    clock.advance(10);
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "connect-timeout");
    assert.match(error.message, /^no answer from wss:\/\/host\/ws: /);
    assert.doesNotMatch(printed(error), SECRETS);
  });

  for (const url of [
    "https://host/#key=secret",
    "wss://host/ws#key=secret",
    "tcp:secret",
    "//secret",
    "",
    undefined,
    5,
    null,
  ]) {
    test(`${url} is bad-address, and says what is one`, async () => {
      const { WebSocket } = makeNetwork();
      const client = connect(url, { WebSocket });
      const error = await client.welcomed.catch((reason) => reason);
      assert.equal(error.code, "bad-address");
      assert.match(error.message, /wss:\/\/HOST\/ws.*parseLink/);
      assert.doesNotMatch(printed(error), SECRETS);
    });
  }

  test("what the socket's class says of an address has nothing secret", async () => {
    class Refusing {
      constructor(url) {
        throw new SyntaxError(`the address ${url} is blocked`);
      }
    }
    const client = connect("ws://host/ws?token=t", { WebSocket: Refusing });
    const error = await client.welcomed.catch((reason) => reason);
    assert.equal(error.code, "bad-address");
    const told = "ws://host/ws is no address of a chat: the address ws://host/ws is blocked";
    assert.equal(error.message, told);
    assert.doesNotMatch(printed(error), SECRETS);
  });
});

test("where a key is missing, or is one too many, the error names the option", async () => {
  const { key_file: key } = vectors.keys;
  const keyless = start({}, readKey(key));
  const peer = await keyless.network.nextPeer();
  peer.open();
  peer.shakeHands().catch(() => {});
  await assert.rejects(keyless.client.welcomed, { code: "key-required", message: /option key$/ });
  await peer.ended;

  const keyed = start({ key });
  const other = await keyed.network.nextPeer();
  other.open();
  await other.send(Type.SESSION_INIT, { session_id: "x" });
  await assert.rejects(keyed.client.welcomed, { code: "key-unexpected", message: /option key$/ });
});
