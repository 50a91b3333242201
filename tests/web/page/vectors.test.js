/** The library against the test vectors of the protocol's page. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText } from "../../../chatd/web/page/chatd/bytes.js";
import { Cipher, PREAMBLE, SecureChannel } from "../../../chatd/web/page/chatd/channel.js";
import { sealEnvelope } from "../../../chatd/web/page/chatd/envelope.js";
import { importKeys, readKey } from "../../../chatd/web/page/chatd/keys.js";
import { openMessage } from "../../../chatd/web/page/chatd/messages.js";
import { Handshake, PROTOCOL_NAME } from "../../../chatd/web/page/chatd/noise.js";
import { ephemeralOf, fromHex, toHex, vectors } from "./vectors.js";

const MAX_CONTENT = 10_485_760;

function keysOf(withKey) {
  return importKeys(withKey ? readKey(vectors.keys.key_file) : null);
}

test("a key file's text has the key", () => {
  assert.equal(toHex(readKey(vectors.keys.key_file)), vectors.keys.key);
});

test("the keys sign as the derived keys of the vectors, and cannot be extracted", async () => {
  for (const [withKey, name] of [
    [true, "mac_key"],
    [false, "mac_key_without_key"],
  ]) {
    const { mac, psk } = await keysOf(withKey);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const raw = fromHex(vectors.keys[name]);
    const same = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
    const signature = await crypto.subtle.sign("HMAC", mac, encodeText("probe"));
    assert.ok(await crypto.subtle.verify("HMAC", same, signature, encodeText("probe")));
    assert.equal(mac.extractable, false);
    assert.equal(psk === null ? false : psk.extractable, false);
    assert.equal(psk === null, !withKey);
  }
});

for (const { name, with_key: withKey, type, header, content, frame } of vectors.frames) {
  test(`the frame "${name}" opens to its parts`, async () => {
    const { mac } = await keysOf(withKey);
    const opened = await openMessage(mac, fromHex(frame).slice(4), MAX_CONTENT);
    assert.equal(opened.type, type);
    assert.deepEqual(opened.header, JSON.parse(header));
    assert.equal(toHex(opened.content), content);
  });

  test(`the parts of "${name}" make its frame`, async () => {
    const { mac } = await keysOf(withKey);
    const made = await sealEnvelope(mac, type, encodeText(header), fromHex(content));
    assert.equal(toHex(made), frame);
  });

  test(`the frame "${name}" is refused under another key`, async () => {
    const { mac } = await keysOf(!withKey);
    const refused = await openMessage(mac, fromHex(frame).slice(4), MAX_CONTENT);
    assert.equal(refused.code, "bad-mac");
  });
}

test("both sides of the handshake write the messages, the hash and the keys", async () => {
  const { noise } = vectors;
  assert.equal(PROTOCOL_NAME, noise.protocol_name);
  assert.equal(toHex(PREAMBLE), noise.prologue);
  const { psk } = await keysOf(true);
  const server = await Handshake.begin(psk, PREAMBLE, await ephemeralOf("server"));
  const client = await Handshake.begin(psk, PREAMBLE, await ephemeralOf("client"));
  const first = await server.writeMessage();
  assert.equal(toHex(first), noise.server_message);
  await client.readMessage(first);
  const second = await client.writeMessage();
  assert.equal(toHex(second), noise.client_message);
  await server.readMessage(second);
  for (const side of [server, client]) {
    assert.equal(toHex(side.hash), noise.handshake_hash);
    const keys = await side.split();
    for (const [index, name] of ["server_to_client_key", "client_to_server_key"].entries()) {
      const raw = fromHex(noise[name]);
      const same = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
      const sealed = await new Cipher(keys[index]).seal(encodeText("probe"));
      assert.equal(toHex(await new Cipher(same).open(sealed)), toHex(encodeText("probe")));
      assert.equal(keys[index].extractable, false);
    }
  }
});

/** Play the whole conversation; `cut` cuts what the server writes. */
async function playConversation(cut) {
  const frames = new Map(vectors.frames.map((each) => [each.name, each.frame]));
  const channel = new SecureChannel((await keysOf(true)).psk, await ephemeralOf("client"));
  for (const { from, frames: names, bytes } of vectors.connection) {
    const plaintext = names.map((name) => frames.get(name)).join("");
    if (from === "server") {
      let opened = "";
      for (const piece of cut(fromHex(bytes))) {
        channel.receive(piece);
        opened += toHex(await channel.next());
      }
      assert.equal(opened, plaintext);
    } else {
      const sent = plaintext ? await channel.seal(fromHex(plaintext)) : channel.takeHandshake();
      assert.equal(toHex(sent), bytes);
    }
  }
}

test("the whole conversation is that of the vectors", () => playConversation((bytes) => [bytes]));

test("the conversation may arrive byte by byte", () =>
  playConversation((bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte))));
