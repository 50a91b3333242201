/** A scripted server on a network in memory, and a clock that stands still. */

import {
  ByteQueue,
  concat,
  encodeText,
  NO_BYTES,
  viewOf,
} from "../../../chatd/web/page/chatd/bytes.js";
import { Cipher, PREAMBLE } from "../../../chatd/web/page/chatd/channel.js";
import { sealEnvelope } from "../../../chatd/web/page/chatd/envelope.js";
import { FrameReader } from "../../../chatd/web/page/chatd/frames.js";
import { encodeObject } from "../../../chatd/web/page/chatd/json.js";
import { importKeys } from "../../../chatd/web/page/chatd/keys.js";
import { openMessage, Type } from "../../../chatd/web/page/chatd/messages.js";
import { Handshake } from "../../../chatd/web/page/chatd/noise.js";

export const SESSION_ID = "0d9f5c3e-7a41-4b6c-9e02-5f1b8a6d4c37";
const LIMITS = { maxFrame: 20_000_000, maxContent: 10_485_760 };

/** Values that come one by one, and that a test waits for. */
export class Stream {
  #values = [];
  #takers = [];

  put(value) {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#values.push(value);
    else taker(value);
  }

  next() {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  get size() {
    return this.#values.length;
  }
}

/** Time that passes when a test says so; the timers of `setTimeout(…, 0)` run at once. */
export class Clock {
  #now = 0;
  #timers = new Map();
  #last = 0;
  random = () => 0.5;
  now = () => this.#now;

  setTimeout = (call, ms) => {
    this.#last += 1;
    this.#timers.set(this.#last, { call, at: this.#now + ms });
    return this.#last;
  };

  clearTimeout = (timer) => this.#timers.delete(timer);

  /** @returns {number[]} In how many seconds the timers run. */
  get waiting() {
    return [...this.#timers.values()]
      .map(({ at }) => (at - this.#now) / 1000)
      .sort((a, b) => a - b);
  }

  advance(seconds) {
    const end = this.#now + 1000 * seconds;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end);
      if (due.length === 0) break;
      due.sort(([, a], [, b]) => a.at - b.at);
      const [[timer, { call, at }]] = due;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      call();
    }
    this.#now = end;
  }
}

/** A network of its own: its class of sockets, and the peer of each socket that was opened. */
export function makeNetwork(key = null) {
  const peers = new Stream();
  const keys = importKeys(key);
  class FakeSocket {
    binaryType = "blob";
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;

    constructor(url, protocols) {
      this.url = url;
      this.protocols = protocols;
      this.peer = new Peer(this, keys);
      peers.put(this.peer);
    }

    send(data) {
      if (this.readyState === 0) throw new Error("InvalidStateError");
      this.peer.received(Uint8Array.from(data));
    }

    close(code) {
      // Browsers refuse other codes.
      if (code !== 1000 && !(code >= 3000 && code < 5000)) throw new Error("InvalidAccessError");
      this.peer.closed(code);
    }
  }
  return { WebSocket: FakeSocket, nextPeer: () => peers.next() };
}

/** The server's side of a socket. */
export class Peer {
  #socket;
  #keys;
  #bytes = new Stream();
  #reader = new FrameReader(() => LIMITS);
  #records = new ByteQueue();
  #opening = null;
  #sealing = null;
  #waiting = [];
  closeCode = null;
  /** Whether the network is gone, so that the socket's closing is never confirmed. */
  isGone = false;

  constructor(socket, keys) {
    this.#socket = socket;
    this.#keys = keys;
    this.ended = new Promise((resolve) => {
      this.setEnded = resolve;
    });
  }

  received(data) {
    this.#bytes.put(data);
  }

  closed(code) {
    this.closeCode = code;
    if (!this.isGone) this.drop();
  }

  /** Open the socket. */
  open() {
    this.#socket.readyState = 1;
    this.#socket.onopen?.({});
  }

  /** Lose the connection. */
  drop(reason = "") {
    if (this.#socket.readyState === 3) return;
    this.#socket.readyState = 3;
    this.#socket.onclose?.({ code: 1006, reason });
    this.#bytes.put(null);
    this.setEnded();
  }

  sendRaw(bytes) {
    this.deliver(Uint8Array.from(bytes).buffer);
  }

  /** @param {ArrayBuffer} data What arrives; nothing else holds it. */
  deliver(data) {
    this.#socket.onmessage?.({ data });
  }

  sendText(text) {
    this.#socket.onmessage?.({ data: text });
  }

  /** @returns {Promise<Uint8Array>} The bytes of a frame on the wire. */
  async frame(type, header, content = "") {
    const body = typeof content === "string" ? encodeText(content) : content;
    const encoded = header instanceof Uint8Array ? header : encodeObject(header);
    return sealEnvelope((await this.#keys).mac, type, encoded, body);
  }

  async seal(bytes) {
    if (this.#sealing === null) return bytes;
    const record = await this.#sealing.seal(bytes);
    return concat([lengthOf(record), record]);
  }

  async send(type, header, content) {
    this.sendRaw(await this.seal(await this.frame(type, header, content)));
  }

  /** Send several frames in one WebSocket message. */
  async sendAll(...frames) {
    const made = await Promise.all(
      frames.map(([type, header, content]) => this.frame(type, header, content)),
    );
    this.sendRaw(await this.seal(concat(made)));
  }

  /** Do the server's part of the handshake, if there is a key. */
  async shakeHands() {
    const { psk } = await this.#keys;
    if (psk === null) return;
    const handshake = await Handshake.begin(psk, PREAMBLE);
    const message = await handshake.writeMessage();
    this.sendRaw(concat([PREAMBLE, lengthOf(message), message]));
    const answer = await this.#bytes.next();
    await handshake.readMessage(answer.slice(2));
    const [toClient, fromClient] = await handshake.split();
    this.#sealing = new Cipher(toClient);
    this.#opening = new Cipher(fromClient);
  }

  /** @returns {Promise<import("../../../chatd/web/page/chatd/messages.js").Message | null>} The
   *   client's next message; null at the end. */
  async next() {
    while (this.#waiting.length === 0) {
      const data = await this.#bytes.next();
      if (data === null) return null;
      this.#reader.receive(await this.#plaintextOf(data));
      for (const envelope of this.#reader.take(Infinity)) {
        this.#waiting.push(await openMessage((await this.#keys).mac, envelope, LIMITS.maxContent));
      }
    }
    return this.#waiting.shift();
  }

  async #plaintextOf(data) {
    if (this.#opening === null) return data;
    this.#records.push(data);
    const found = [];
    let bytes = this.#records.peek();
    while (bytes.length >= 2 && bytes.length >= 2 + viewOf(bytes).getUint16(0)) {
      const end = 2 + viewOf(bytes).getUint16(0);
      found.push(await this.#opening.open(bytes.slice(2, end)));
      this.#records.drop(end);
      bytes = this.#records.peek();
    }
    return concat(found);
  }

  /** Open the socket, and bring the session to its welcome; return the SESSION_ACK's header. */
  async welcome({ name = "alice", rooms = [place("lobby")], init = {} } = {}) {
    this.open();
    await this.shakeHands();
    await this.send(Type.SESSION_INIT, { session_id: SESSION_ID, server: "chatd/1", ...init });
    const ack = await this.next();
    await this.send(Type.EVENT, {
      event: "welcome",
      session_id: SESSION_ID,
      name,
      room: rooms[0]?.room ?? null,
      rooms,
    });
    return ack.header;
  }

  /** Answer the question for direct messages, which follows each welcome. */
  async answerConversations(conversations = []) {
    const { header } = await this.next();
    if (header.command !== "conversations") throw new Error(`not ${header.command}`);
    await this.send(Type.RESULT, { id: header.id, conversations });
  }

  /** Welcome a client that enters a room, and bring it to its open state. */
  async establish(options) {
    const ack = await this.welcome(options);
    await this.answerConversations();
    return ack;
  }

  /** Deliver a message. */
  async say(from, seq, text, more = {}) {
    await this.send(Type.MESSAGE, said(from, seq, more), text);
  }
}

export function said(from, seq, more = {}) {
  const id = `${from}-${seq}`;
  return {
    id,
    room: "lobby",
    from,
    seq,
    time: 1750000000 + seq,
    content_type: "text/plain",
    ...more,
  };
}

export function place(room, seq = 0, epoch = "e1", last_id = undefined) {
  return { room, epoch, seq, last_id };
}

/** @returns {Promise<any>} The detail of a client's next event of a type that fits. */
export function nextEvent(client, type, fits = () => true) {
  return new Promise((resolve) => {
    const heard = (event) => {
      if (!fits(event.detail)) return;
      client.removeEventListener(type, heard);
      resolve(event.detail);
    };
    client.addEventListener(type, heard);
  });
}

export function nextState(client, state) {
  return nextEvent(client, "state", (detail) => detail.state === state);
}

function lengthOf(record) {
  const length = new Uint8Array(2);
  viewOf(length).setUint16(0, record.length);
  return length;
}

export { NO_BYTES };
