/** Places that lack something: one error each, which says what to do. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { connect } from "../../../chatd/web/page/chatd/index.js";
import { makeNetwork } from "./peer.js";
import { fromHex, vectors } from "./vectors.js";

const real = { crypto: globalThis.crypto, WebSocket: globalThis.WebSocket };

afterEach(() => replace(real));

function replace(values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

/** WebCrypto in which some functions refuse X25519, as in an older browser. */
function withoutX25519() {
  const { subtle } = real.crypto;
  const refusing = {};
  for (const name of ["importKey", "generateKey", "deriveBits"]) {
    refusing[name] = (...given) => {
      const is25519 = given.some((each) => each?.name === "X25519");
      return is25519 ? Promise.reject(new Error("unrecognized name")) : subtle[name](...given);
    };
  }
  const all = new Proxy(subtle, {
    get: (target, name) => refusing[name] ?? target[name].bind(target),
  });
  return { subtle: all, getRandomValues: (bytes) => real.crypto.getRandomValues(bytes) };
}

test("without WebCrypto, as in an insecure context, the error says to use https", async () => {
  const { getRandomValues } = real.crypto;
  replace({ crypto: { getRandomValues: getRandomValues.bind(real.crypto) } });
  const client = connect("ws://host/ws", { WebSocket: class {} });
  await assert.rejects(client.welcomed, { code: "insecure-context", message: /https:\/\// });
  await assert.rejects(client.send("x"), { code: "connection-lost" });
  await client.close();
});

test("without X25519, a chat with a key says to update the browser", async () => {
  const { WebSocket, nextPeer } = makeNetwork();
  const client = connect("ws://host/ws", { WebSocket, key: vectors.keys.key_file });
  const peer = await nextPeer();
  peer.open();
  replace({ crypto: withoutX25519() });
  peer.sendRaw(fromHex(vectors.connection[0].bytes));
  await assert.rejects(client.welcomed, { code: "no-x25519", message: /update it/, retry: false });
});

test("without WebSocket, the error names the option", async () => {
  replace({ WebSocket: undefined });
  const client = connect("ws://host/ws");
  await assert.rejects(client.welcomed, { code: "no-websocket", message: /option WebSocket/ });
});
