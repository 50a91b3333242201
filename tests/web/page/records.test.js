/** The records of a channel with a key: how many are opened together. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Cipher, PREAMBLE, SecureChannel } from "../../../chatd/web/page/chatd/channel.js";
import { concat, NO_BYTES } from "../../../chatd/web/page/chatd/bytes.js";
import { importKeys, readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Handshake } from "../../../chatd/web/page/chatd/noise.js";
import { vectors } from "./vectors.js";

const { subtle } = crypto;
const { decrypt } = Object.getPrototypeOf(subtle);

afterEach(() => delete subtle.decrypt);

function recordOf(sealed) {
  return Uint8Array.of(sealed.length >> 8, sealed.length & 255, ...sealed);
}

/** A channel after its handshake; what its server seals with; and how much it opens together. */
async function opened() {
  const { psk } = await importKeys(readKey(vectors.keys.key_file));
  const channel = new SecureChannel(psk);
  const server = await Handshake.begin(psk, PREAMBLE);
  channel.receive(concat([PREAMBLE, recordOf(await server.writeMessage())]));
  await channel.next();
  await server.readMessage(channel.takeHandshake().slice(2));
  const [toClient] = await server.split();
  const count = { all: 0, now: 0, most: 0 };
  subtle.decrypt = async (...given) => {
    count.all += 1;
    count.now += 1;
    count.most = Math.max(count.most, count.now);
    try {
      return await decrypt.apply(subtle, given);
    } finally {
      count.now -= 1;
    }
  };
  return { channel, cipher: new Cipher(toClient), count };
}

/** @returns {Promise<Uint8Array>} The records of plaintexts, in one piece. */
async function sealAll(cipher, plaintexts) {
  const records = [];
  for (const plaintext of plaintexts) records.push(recordOf(await cipher.seal(plaintext)));
  return concat(records);
}

test("of many small records with a bad one first, few are opened", async () => {
  const { channel, count } = await opened();
  const junk = recordOf(new Uint8Array(16));
  channel.receive(concat(Array.from({ length: 20_000 }, () => junk)));
  for (let n = 0; n < 2; n++) await assert.rejects(channel.next(), { code: "bad-record" });
  assert.ok(count.all <= 256, `${count.all} records were opened`);
});

test("good records are opened in their order, a bounded number together", async () => {
  const { channel, cipher, count } = await opened();
  const plaintexts = Array.from({ length: 1000 }, (_, n) => Uint8Array.of(n >> 8, n & 255));
  channel.receive(await sealAll(cipher, plaintexts));
  const parts = [];
  do parts.push(await channel.next());
  while (parts.at(-1).length > 0);
  assert.deepEqual(concat(parts), concat(plaintexts));
  assert.equal(count.all, 1000);
  assert.ok(count.most <= 256, `${count.most} records were opened together`);
});

test("empty records hide nothing that follows them", async () => {
  const { channel, cipher } = await opened();
  const plaintexts = [...Array.from({ length: 600 }, () => NO_BYTES), Uint8Array.of(7)];
  channel.receive(await sealAll(cipher, plaintexts));
  assert.deepEqual(await channel.next(), Uint8Array.of(7));
  assert.equal((await channel.next()).length, 0);
});

test("what comes before a bad record is read, and nothing that comes after it", async () => {
  const { channel, cipher } = await opened();
  const good = await sealAll(cipher, [Uint8Array.of(1), Uint8Array.of(2)]);
  const bad = await sealAll(cipher, [Uint8Array.of(3)]);
  bad[2] ^= 1;
  channel.receive(concat([good, bad, await sealAll(cipher, [Uint8Array.of(4)])]));
  assert.deepEqual(await channel.next(), Uint8Array.of(1, 2));
  await assert.rejects(channel.next(), { code: "bad-record" });
});
