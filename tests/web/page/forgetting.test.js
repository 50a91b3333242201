/** Secrets and bytes that must not stay in memory. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Identity } from "../../../chatd/web/page/chatd/identity.js";
import { parseLink } from "../../../chatd/web/page/chatd/index.js";
import { importKeys, readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established } from "./clients.js";
import { nextState } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;
const { subtle } = crypto;
const real = { from: Uint8Array.from, deriveBits: subtle.deriveBits };

afterEach(() => {
  Uint8Array.from = real.from;
  delete subtle.deriveBits;
  delete subtle.generateKey;
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** @returns {Promise<boolean>} Whether nothing holds what a reference means. */
async function isGone(reference) {
  // A reference that was made or read holds its object until the present turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return reference.deref() === undefined;
}

test("a client holds no key after it has given it to WebCrypto", async () => {
  const begin = async () => {
    const key = readKey(KEY);
    const reference = new WeakRef(key);
    return { reference, ...(await established({ key }, readKey(KEY))) };
  };
  const { reference, client } = await begin();
  assert.ok(await isGone(reference));
  assert.equal(client.state, "open");
});

test("an identity gives its key once", async () => {
  const identity = new Identity("ws://host/ws", { key: KEY });
  assert.notEqual((await identity.takeKeys()).psk, null);
  assert.equal((await identity.takeKeys()).psk, null);
});

test("the derived key's bytes are overwritten", async () => {
  const derived = [];
  subtle.deriveBits = async (...given) => {
    const bits = await real.deriveBits.apply(subtle, given);
    derived.push(bits, new Uint8Array(bits).some(Boolean));
    return bits;
  };
  await importKeys(readKey(KEY));
  const [bits, hadKey] = derived;
  assert.equal(derived.length, 2);
  assert.ok(hadKey);
  assert.ok(new Uint8Array(bits).every((byte) => byte === 0));
});

test("the bytes of a link's key are overwritten", () => {
  const made = [];
  Uint8Array.from = (...given) => {
    const bytes = real.from.apply(Uint8Array, given);
    made.push([bytes, bytes.some(Boolean)]);
    return bytes;
  };
  assert.equal(parseLink(`https://host/#key=${KEY.trim().replaceAll("=", "")}`).room, null);
  assert.equal(made.length, 1);
  const [[bytes, hadKey]] = made;
  assert.ok(hadKey);
  assert.ok(bytes.every((byte) => byte === 0));
});

test("the private keys of handshakes cannot be extracted", async () => {
  const made = [];
  const { generateKey } = Object.getPrototypeOf(subtle);
  subtle.generateKey = async (...given) => {
    const pair = await generateKey.apply(subtle, given);
    made.push(pair);
    return pair;
  };
  await established({ key: KEY }, readKey(KEY));
  assert.equal(made.length, 2); // the client's, and the peer's
  for (const { privateKey } of made) assert.equal(privateKey.extractable, false);
});

test("what arrives after the end of a session is not kept", async () => {
  const { client, peer } = await established();
  peer.isGone = true;
  void client.close();
  assert.equal((await peer.next()).header.code, "goodbye");
  const send = () => {
    const data = new ArrayBuffer(1024);
    peer.deliver(data);
    return new WeakRef(data);
  };
  assert.ok(await isGone(send()));
  assert.equal(client.state, "ended");
});

test("what waits to be read at the end of a session is not kept", async () => {
  const { client, peer } = await established();
  peer.isGone = true;
  const ended = nextState(client, "ended");
  const bye = await peer.frame(Type.DISCONNECT, { code: "kicked" });
  const send = () => {
    const data = new ArrayBuffer(1024);
    peer.sendRaw(bye);
    peer.deliver(data); // while the client reads what came before
    return new WeakRef(data);
  };
  const reference = send();
  assert.equal((await ended).error.code, "kicked");
  assert.ok(await isGone(reference));
  assert.equal(client.state, "ended");
});
