/** Bytes that no honest server sends: the outcome is always a ChatError, or the session goes on. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { concat, encodeText, viewOf } from "../../../chatd/web/page/chatd/bytes.js";
import { PREAMBLE } from "../../../chatd/web/page/chatd/channel.js";
import { ChatError, connect } from "../../../chatd/web/page/chatd/index.js";
import { importKeys, readKey } from "../../../chatd/web/page/chatd/keys.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { Handshake } from "../../../chatd/web/page/chatd/noise.js";
import { Clock, makeNetwork, nextEvent, nextState, said, SESSION_ID } from "./peer.js";
import { vectors } from "./vectors.js";

const KEY = vectors.keys.key_file;
const INIT = { session_id: SESSION_ID, server: "chatd/1" };

/** The same numbers in each run (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomBytes(random, length) {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

async function begun({ key = null, isEstablished = false, ...options } = {}) {
  const network = makeNetwork(key === null ? null : readKey(key));
  const clock = new Clock();
  const { WebSocket } = network;
  const client = connect("ws://host/ws", { key, clock, WebSocket, reconnect: false, ...options });
  const peer = await network.nextPeer();
  if (isEstablished) {
    await peer.establish();
    await client.welcomed;
  } else {
    peer.open();
  }
  return { client, clock, peer };
}

/** @returns {Promise<ChatError>} Why a client ends. */
async function endOf(client) {
  const ended = client.state === "ended" ? client.welcomed.catch((reason) => reason) : null;
  const error = await (ended ?? nextState(client, "ended").then((detail) => detail.error));
  assert.ok(error instanceof ChatError, String(error));
  assert.match(error.code, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.ok(error.message.length > 0);
  return error;
}

/** @returns {Promise<string>} "alive" if the client answers a ping, else the code of its end. */
async function outcomeOf(client, peer) {
  const ended = nextState(client, "ended").then(({ error }) => error);
  await peer.send(Type.HEARTBEAT, { n: 77 }, "ping");
  const pong = (async () => {
    for (;;) {
      const message = await peer.next();
      if (message === null) return ended;
      if (message.type === Type.HEARTBEAT && message.header.n === 77) return "alive";
    }
  })();
  const outcome = await Promise.race([ended, pong]);
  if (outcome === "alive") return outcome;
  assert.ok(outcome instanceof ChatError, String(outcome));
  return outcome.code;
}

describe("before the welcome", () => {
  for (const key of [null, KEY]) {
    const kind = key === null ? "without a key" : "with a key";

    test(`random bytes end a client ${kind}`, async () => {
      const random = randomOf(1);
      for (let n = 0; n < 150; n++) {
        const { client, peer } = await begun({ key });
        const start = [[], [0, 0], PREAMBLE, [...PREAMBLE, 0, 48]][n % 4];
        peer.sendRaw(concat([Uint8Array.from(start), randomBytes(random, 1 + (n % 90))]));
        peer.drop();
        await endOf(client);
      }
    });

    test(`a greeting with a wrong bit, and a part of a greeting, end a client ${kind}`, async () => {
      const random = randomOf(2);
      for (let n = 0; n < 120; n++) {
        const { client, peer } = await begun({ key });
        await peer.shakeHands();
        const good = await peer.seal(await peer.frame(Type.SESSION_INIT, INIT));
        const bad = good.slice();
        if (n % 2 === 0) bad[Math.floor(random() * bad.length)] ^= 1 << Math.floor(random() * 8);
        peer.sendRaw(n % 2 === 0 ? bad : bad.subarray(0, Math.floor(random() * bad.length)));
        peer.drop();
        await endOf(client);
      }
    });
  }

  for (const [what, bytes, code] of [
    ["an HTTP answer", encodeText("HTTP/1.1 400 Bad Request\r\n\r\n"), "bad-magic"],
    ["zeros", new Uint8Array(68), "bad-length"],
    ["a frame of 16 MiB", Uint8Array.of(0, 255, 255, 255), "too-large"],
    ["a frame over 8 KiB", Uint8Array.of(0, 0, 32, 1), "too-large"],
    ["a frame that is too short", Uint8Array.of(0, 0, 0, 63), "bad-length"],
    ["another magic", Uint8Array.of(0, 0, 0, 64, ...new Uint8Array(64)), "bad-magic"],
  ]) {
    test(`${what} is ${code}`, async () => {
      const { client, peer } = await begun();
      peer.sendRaw(bytes);
      assert.equal((await endOf(client)).code, code);
    });
  }

  for (const [what, record] of [
    ["too short", Uint8Array.of(0, 47, ...new Uint8Array(47))],
    ["too long", Uint8Array.of(0, 49, ...new Uint8Array(49))],
  ]) {
    test(`a handshake record that is ${what} is bad-record`, async () => {
      const { client, peer } = await begun({ key: KEY });
      peer.sendRaw(concat([PREAMBLE, record]));
      assert.equal((await endOf(client)).code, "bad-record");
    });
  }

  test("a public key of small order is bad-record, even from a server with the key", async () => {
    for (const raw of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) {
      const { client, peer } = await begun({ key: KEY });
      const publicKey = await crypto.subtle.importKey("raw", raw, { name: "X25519" }, true, []);
      const { psk } = await importKeys(readKey(KEY));
      const handshake = await Handshake.begin(psk, PREAMBLE, { publicKey });
      const message = await handshake.writeMessage();
      peer.sendRaw(concat([PREAMBLE, Uint8Array.of(0, 48), message]));
      assert.equal((await endOf(client)).code, "bad-record");
    }
  });

  test("a welcome that is none is answered, and the client gives up in time", async () => {
    for (const fields of [{ name: 5 }, {}, { name: "a", rooms: [null] }, { name: "a", room: [] }]) {
      const { client, clock, peer } = await begun();
      await peer.send(Type.SESSION_INIT, INIT);
      await peer.next();
      await peer.send(Type.EVENT, { event: "welcome", ...fields });
      assert.equal((await peer.next()).header.code, "bad-request");
      clock.advance(10);
      assert.equal((await endOf(client)).code, "handshake-timeout");
    }
  });

  test("a part of a frame, and nothing after it, ends a client in time", async () => {
    const { client, clock, peer } = await begun();
    peer.sendRaw(Uint8Array.of(0, 0, 1, 0, ...new Uint8Array(9)));
    clock.advance(10);
    assert.equal((await endOf(client)).code, "handshake-timeout");
  });

  test("types that have no place yet are answered, and the session goes on", async () => {
    const { client, peer } = await begun();
    await peer.sendAll([Type.MESSAGE, said("bob", 1), "x"], [99, { id: "q" }], [7, {}]);
    const answers = [await peer.next(), await peer.next(), await peer.next()];
    assert.deepEqual(
      answers.map(({ type, header }) => [type, header.code, header.ref]),
      [
        [Type.ERROR, "unexpected-type", "bob-1"],
        [Type.ERROR, "unknown-type", "q"],
        [Type.ERROR, "unknown-type", undefined],
      ],
    );
    await peer.establish();
    assert.equal((await client.welcomed).name, "alice");
  });
});

const BAD_HEADERS = {
  nothing: "",
  "an array": '[{"id":"m1"}]',
  text: '"id"',
  null: "null",
  NaN: '{"id":NaN}',
  "two objects": '{"id":"m1"} {"id":"m2"}',
  "a comma at the end": '{"id":"m1",}',
  "a byte order mark": Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
  "not UTF-8": Uint8Array.of(0x7b, 0xff, 0x7d),
  "a lone surrogate": '{"id":"\\ud800"}',
  "a lone surrogate in an unknown field": '{"id":"m1","x":["\\uDFFF"]}',
  "a lone surrogate in a name": '{"id":"m1","\\udc00":1}',
  "deep arrays": "[".repeat(30_000) + "]".repeat(30_000),
  "arrays without an end": "[".repeat(65_000),
  "objects without an end": '{"a":'.repeat(13_000),
};

const ODD_HEADERS = {
  [Type.MESSAGE]: [
    "{}",
    '{"id":5}',
    '{"id":""}',
    `{"id":"${"x".repeat(65)}"}`,
    '{"id":"a","seq":-1}',
    '{"id":"a","seq":1.5}',
    '{"id":"a","seq":1e400}',
    '{"id":"a","time":1e400}',
    '{"id":"a","content_type":"a\\u0000b"}',
    '{"id":"a","from":["x"]}',
    `{"id":"a","from":"${"x".repeat(97)}"}`,
    '{"id":"a","room":{"__proto__":1}}',
    '{"__proto__":{"id":"a"}}',
    '{"id":"a","seq":9007199254740993}',
  ],
  [Type.EVENT]: [
    '{"event":"joined"}',
    '{"event":"joined","room":5,"name":"x"}',
    '{"event":"removed","room":null}',
    '{"event":"constructor"}',
    '{"event":"__proto__"}',
    '{"event":"topic","room":"a","topic":7,"name":"b"}',
    '{"event":5}',
    "{}",
    '{"event":"state","state":"ended"}',
    '{"event":"welcome","name":"x","room":"y"}',
  ],
  [Type.RESULT]: ["{}", '{"id":"unknown"}', '{"id":5}', '{"id":"__proto__"}'],
  [Type.ERROR]: ["{}", '{"code":5}', '{"code":"x","ref":5}', '{"code":"x","ref":"unknown"}'],
  [Type.HEARTBEAT]: ["{}", '{"n":"1"}', '{"n":1.5}', '{"n":1e400}', '{"n":null}'],
  [Type.COMMAND]: ['{"id":"a","command":"who"}'],
  [Type.SESSION_INIT]: ["{}", JSON.stringify(INIT)],
  [Type.SESSION_ACK]: ["{}"],
};

describe("after the welcome", () => {
  for (const [what, header] of Object.entries(BAD_HEADERS)) {
    test(`a header that is ${what} is bad-header`, async () => {
      const { client, peer } = await begun({ isEstablished: true });
      const bytes = typeof header === "string" ? encodeText(header) : header;
      peer.sendRaw(await peer.frame(Type.MESSAGE, bytes));
      assert.equal(await outcomeOf(client, peer), "bad-header");
    });
  }

  test("nesting of a COMMAND's, RESULT's or EVENT's header over 32 deep is bad-header", async () => {
    const nested = (depth) =>
      encodeText(`{"event":"x","y":${"[".repeat(depth)}${"]".repeat(depth)}}`);
    for (const [depth, outcome] of [
      [31, "alive"],
      [32, "bad-header"],
    ]) {
      const { client, peer } = await begun({ isEstablished: true });
      peer.sendRaw(await peer.frame(Type.EVENT, nested(depth)));
      assert.equal(await outcomeOf(client, peer), outcome, String(depth));
    }
  });

  for (const [type, headers] of Object.entries(ODD_HEADERS)) {
    test(`odd fields of type ${type} leave the session as it is`, async () => {
      const { client, peer } = await begun({ isEstablished: true });
      for (const header of headers) {
        peer.sendRaw(await peer.frame(Number(type), encodeText(header)));
        assert.equal(await outcomeOf(client, peer), "alive", header);
      }
      assert.deepEqual([client.state, client.rooms], ["open", ["lobby"]]);
    });
  }

  test("a wrong bit at any place ends the session with the code of its check", async () => {
    const codes = new Set();
    const random = randomOf(3);
    for (let n = 0; n < 200; n++) {
      const { client, peer } = await begun({ isEstablished: true });
      const frame = (await peer.frame(Type.MESSAGE, said("bob", 1), "hello")).slice();
      frame[n % frame.length] ^= 1 << Math.floor(random() * 8);
      peer.sendRaw(frame);
      peer.drop();
      codes.add((await endOf(client)).code);
    }
    for (const code of ["bad-magic", "bad-version", "bad-length", "bad-crc", "bad-mac"]) {
      assert.ok(codes.has(code), `${code} of ${[...codes]}`);
    }
    assert.ok(!codes.has("internal-error"));
  });

  test("records that are damaged, doubled, left out or reordered are bad-record", async () => {
    for (const change of [
      ([one]) => [one.with(20, one[20] ^ 1)],
      ([one]) => [one, one],
      ([, two]) => [two],
      ([one, two]) => [two, one],
      () => [Uint8Array.of(0, 15, ...new Uint8Array(15))],
      ([one]) => [Uint8Array.of(0, 16, ...one.subarray(2, 18))],
    ]) {
      const { client, peer } = await begun({ key: KEY, isEstablished: true });
      const records = [];
      for (const seq of [1, 2]) {
        records.push(await peer.seal(await peer.frame(Type.MESSAGE, said("bob", seq), "x")));
      }
      for (const record of change(records)) peer.sendRaw(record);
      assert.equal((await endOf(client)).code, "bad-record");
    }
  });

  test("a damaged record behind a good one ends the session after it", async () => {
    const { client, peer } = await begun({ key: KEY, isEstablished: true });
    const heard = [];
    client.addEventListener("message", ({ detail }) => heard.push(detail.text));
    const records = [];
    for (const seq of [1, 2, 3]) {
      records.push(await peer.seal(await peer.frame(Type.MESSAGE, said("bob", seq), String(seq))));
    }
    records[1][20] ^= 1;
    peer.sendRaw(concat(records));
    assert.equal((await endOf(client)).code, "bad-record");
    assert.deepEqual(heard, ["1"]);
  });

  test("messages before a fault are told, and none after it", async () => {
    for (const key of [null, KEY]) {
      const { client, peer } = await begun({ key, isEstablished: true });
      const heard = [];
      client.addEventListener("message", ({ detail }) => heard.push(detail.text));
      const bad = await peer.frame(Type.MESSAGE, said("bob", 2), "two");
      bad[bad.length - 1] ^= 1;
      const frames = [
        await peer.frame(Type.MESSAGE, said("bob", 1), "one"),
        bad,
        await peer.frame(Type.MESSAGE, said("bob", 3), "three"),
      ];
      peer.sendRaw(await peer.seal(concat(frames)));
      assert.equal((await endOf(client)).code, "bad-crc");
      assert.deepEqual(heard, ["one"]);
      const answers = [await peer.next(), await peer.next()];
      assert.deepEqual(
        answers.map(({ type }) => type),
        [Type.ERROR, Type.DISCONNECT],
      );
      assert.deepEqual(
        answers.map(({ header }) => header.code),
        ["bad-crc", "bad-crc"],
      );
    }
  });

  test("a huge length is refused at its four bytes, and a huge content at its prelude", async () => {
    const frame = (length, more) => {
      const bytes = new Uint8Array(4 + more.length);
      viewOf(bytes).setUint32(0, length);
      bytes.set(more, 4);
      return bytes;
    };
    const { peer: maker } = await begun({ isEstablished: true });
    const prelude = (await maker.frame(Type.MESSAGE, said("bob", 1))).slice(4, 68);
    viewOf(prelude).setUint32(20, 0x200000); // 2^53 bytes and more
    const limit = 64 + 65_536 + 1000;
    for (const [bytes, code] of [
      [frame(0xffffffff, []), "too-large"],
      [frame(limit + 1, []), "too-large"],
      [frame(limit, prelude), "bad-length"],
    ]) {
      const { client, peer } = await begun({ isEstablished: true, maxContent: 1000 });
      peer.sendRaw(bytes);
      assert.equal((await endOf(client)).code, code);
    }
  });

  test("a server that sends faster than the client reads is left, and may be asked later", async () => {
    const { client, peer } = await begun({ isEstablished: true });
    for (let n = 0; n < 70; n++) peer.sendRaw(new Uint8Array(1_048_576));
    assert.equal((await endOf(client)).code, "slow-consumer");
  });

  test("much that is read in time is not too much", async () => {
    const { client, peer } = await begun({ isEstablished: true });
    const content = new Uint8Array(10_000_000);
    for (let seq = 1; seq < 8; seq++) {
      await peer.send(Type.MESSAGE, said("bob", seq), content);
      assert.equal(await outcomeOf(client, peer), "alive");
    }
  });

  test("history that does not advance ends, and tells it", async () => {
    const { client, peer } = await begun({ isEstablished: true });
    const told = nextEvent(client, "error");
    const direct = (seq, more = {}) => said("bob", seq, { room: undefined, to: "alice", ...more });
    await peer.send(Type.MESSAGE, direct(1), "1");
    await peer.send(Type.MESSAGE, direct(9), "9");
    for (let n = 0; n < 2; n++) {
      const { header } = await peer.next();
      const old = direct(5, { ref: header.id });
      await peer.send(Type.MESSAGE, old, "5");
      const told = { epoch: `e${n}`, count: 1, complete: false, recovered: false };
      await peer.send(Type.RESULT, { id: header.id, ...told });
    }
    assert.match((await told).message, /does not advance/);
    assert.equal(await outcomeOf(client, peer), "alive");
  });

  test("lists of conversations that do not end are left, and the session goes on", async () => {
    const conversations = Array.from({ length: 900 }, () => ({ with: "b", epoch: "e", seq: 0 }));
    for (const [next, given, asks] of [
      [() => "same", [], 2],
      [(n) => String(1000 + n), conversations, 112], // 900 each, and 100,000 in all
    ]) {
      const { client, peer } = await begun();
      const told = nextEvent(client, "error").then(() => null);
      await peer.welcome();
      let asked = 0;
      for (;;) {
        const command = await Promise.race([told, peer.next()]);
        if (command === null) break;
        asked += 1;
        const { id } = command.header;
        await peer.send(Type.RESULT, { id, conversations: given, next: next(asked) });
      }
      assert.equal(asked, asks);
      await client.welcomed;
      assert.equal(client.state, "open");
    }
  });
});
