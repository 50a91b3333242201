/** Envelopes, frames and fields: each check has its code. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { concat, encodeText, viewOf } from "../../../chatd/web/page/chatd/bytes.js";
import { checkPrelude, sealEnvelope } from "../../../chatd/web/page/chatd/envelope.js";
import { FrameReader } from "../../../chatd/web/page/chatd/frames.js";
import { encodeObject } from "../../../chatd/web/page/chatd/json.js";
import { importKeys, readKey } from "../../../chatd/web/page/chatd/keys.js";
import { decodeHeader, openMessage, Type } from "../../../chatd/web/page/chatd/messages.js";
import { vectors } from "./vectors.js";

const HEADER = encodeObject({ id: "m-1", room: "lobby" });
const CONTENT = encodeText("hello");
const MAX_CONTENT = 1000;

async function sealed(header = HEADER, content = CONTENT) {
  const { mac } = await importKeys(null);
  return { mac, frame: await sealEnvelope(mac, Type.MESSAGE, header, content) };
}

/** @returns {string[]} The codes that a wrong bit at an offset of an envelope may have. */
function codesAt(offset) {
  if (offset < 8) return ["bad-magic"];
  if (offset < 10) return ["bad-version"];
  if (offset < 12) return ["bad-mac"];
  if (offset < 16) return ["bad-length"];
  if (offset < 20) return ["bad-crc"];
  if (offset < 28) return ["bad-length"];
  if (offset < 32) return ["bad-crc"];
  return offset < 64 ? ["bad-mac"] : ["bad-crc"];
}

describe("envelopes", () => {
  test("a wrong bit has the code of the first check that it fails", async () => {
    const { mac, frame } = await sealed();
    for (let offset = 0; offset < frame.length - 4; offset++) {
      for (const bit of [0, 7]) {
        const envelope = frame.slice(4);
        envelope[offset] ^= 1 << bit;
        const { code } = await openMessage(mac, envelope, MAX_CONTENT);
        assert.deepEqual([code], codesAt(offset), `bit ${bit} of byte ${offset}`);
      }
    }
  });

  test("a header and a content over their limits are too-large, though the lengths agree", async () => {
    const { frame } = await sealed();
    for (const [headerBytes, contentBytes, code] of [
      [65_536, 1000, null],
      [65_537, 0, "too-large"],
      [2, 1001, "too-large"],
    ]) {
      const prelude = frame.slice(4, 68);
      viewOf(prelude).setUint32(12, headerBytes);
      viewOf(prelude).setBigUint64(20, BigInt(contentBytes));
      const check = () => checkPrelude(prelude, 64 + headerBytes + contentBytes, MAX_CONTENT);
      if (code === null) check();
      else assert.throws(check, { code });
    }
  });

  test("a content is a copy, which does not keep its neighbours in memory", async () => {
    const { mac, frame } = await sealed();
    const { content } = await openMessage(
      mac,
      concat([frame, frame]).subarray(4, 4 + 64 + HEADER.length + 5),
      10,
    );
    assert.equal(content.buffer.byteLength, CONTENT.length);
  });
});

describe("frames", () => {
  const limits = () => ({ maxFrame: 64 + 65_536 + MAX_CONTENT, maxContent: MAX_CONTENT });

  test("frames come out whole, whatever the pieces", async () => {
    const { frame } = await sealed();
    const stream = concat([frame, frame, frame]);
    for (let size = 1; size <= stream.length; size++) {
      const reader = new FrameReader(limits);
      let found = 0;
      for (let offset = 0; offset < stream.length; offset += size) {
        reader.receive(stream.subarray(offset, offset + size));
        for (const envelope of reader.take(Infinity)) {
          assert.deepEqual(envelope, frame.subarray(4));
          found += 1;
        }
      }
      assert.equal(found, 3);
      assert.ok(reader.isEmpty);
    }
  });

  test("frames before a fault come out before it, and the fault stays", async () => {
    const { frame } = await sealed();
    const reader = new FrameReader(limits);
    reader.receive(concat([frame, Uint8Array.of(255, 0, 0, 0)]));
    assert.equal(reader.take(Infinity).length, 1);
    for (let n = 0; n < 2; n++) assert.throws(() => reader.take(Infinity), { code: "too-large" });
  });

  test("the bytes of a long frame count as soon as its start is good", async () => {
    const { frame } = await sealed(HEADER, new Uint8Array(900));
    const reader = new FrameReader(limits);
    reader.receive(frame.subarray(0, 67));
    assert.deepEqual(reader.take(1), []);
    assert.equal(reader.gathered, 0);
    reader.receive(frame.subarray(67, 500));
    assert.deepEqual(reader.take(1), []);
    assert.equal(reader.gathered, 500);
    reader.receive(frame.subarray(500));
    assert.equal(reader.take(1).length, 1);
    assert.equal(reader.gathered, 0);
  });

  test("only as many frames come out as are asked for", async () => {
    const { frame } = await sealed();
    const reader = new FrameReader(limits);
    reader.receive(concat([frame, frame, frame]));
    assert.deepEqual(
      [2, 2, 2].map((most) => reader.take(most).length),
      [2, 1, 0],
    );
  });
});

describe("fields", () => {
  test("texts are counted in characters, not in halves of surrogate pairs", () => {
    const decode = (id) => decodeHeader(Type.MESSAGE, encodeObject({ id }));
    assert.equal(decode("😀".repeat(64)).id.length, 128);
    for (const id of ["", "x".repeat(65), "😀".repeat(65), "x".repeat(1000)]) {
      assert.throws(() => decode(id), { code: "bad-request", message: /1 to 64 characters/ });
    }
  });

  test("null takes the place of a missing field only where it may", () => {
    const decode = (type, fields) => decodeHeader(type, encodeObject(fields));
    assert.equal(decode(Type.MESSAGE, { id: "a", room: null, seq: null }).room, null);
    assert.throws(() => decode(Type.DISCONNECT, { code: null }), { code: "bad-request" });
    assert.throws(() => decode(Type.MESSAGE, { id: null }), { code: "bad-request" });
  });
});

test("a key's bytes are overwritten when it is imported", async () => {
  const raw = readKey(vectors.keys.key_file);
  await importKeys(raw);
  assert.ok(raw.every((byte) => byte === 0));
});
