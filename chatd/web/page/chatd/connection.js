/**
 * One connection: a session on a WebSocket.
 *
 * What arrives is opened batch by batch, and what is to be sent is sealed batch by batch, each in
 * order. Until the welcome, frames are opened one by one, since each may change the limits.
 */

import { clientChannel } from "./channel.js";
import { concat } from "./bytes.js";
import { sealEnvelope } from "./envelope.js";
import { asChatError, ChatError } from "./errors.js";
import { FrameReader } from "./frames.js";
import { publicAddress } from "./links.js";
import { CLOSE_TIMEOUT_S, CONNECT_TIMEOUT_S, HANDSHAKE_TIMEOUT_S, MAX_UNREAD } from "./limits.js";
import { openMessage } from "./messages.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./keys.js").Keys} Keys */
/** @typedef {import("./messages.js").Message} Message */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").SessionEvent} SessionEvent */

/**
 * What a connection needs of a WebSocket; that of browsers and Node has it.
 *
 * @typedef {object} Socket
 * @property {string} binaryType
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 * @property {(data: Bytes) => void} send
 * @property {(code?: number, reason?: string) => void} close
 */

/** @typedef {new (url: string, protocols: string[]) => Socket} SocketClass */

/**
 * Time and chance, which tests replace.
 *
 * @typedef {object} Clock
 * @property {(call: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now In milliseconds.
 * @property {() => number} random From 0 to 1.
 */

/**
 * @typedef {object} Owner What a connection tells its client.
 * @property {(event: SessionEvent) => void} received
 * @property {(end: ChatError) => void} ended Called once, when nothing more will be received.
 */

export const SUBPROTOCOL = "chatd.v1";
/** The only standard code that browsers let a page close with. */
const CLOSE_NORMAL = 1000;
/** Frames opened or sealed together, at most: between two batches, the page draws. */
const BATCH_FRAMES = 1024;

export class Connection {
  session;
  /** Fulfilled when the socket is closed. */
  closed;
  #address;
  #socket;
  #clock;
  #owner;
  #keys;
  #channel;
  #reader;
  /** @type {Bytes[]} */
  #arrived = [];
  #arrivedBytes = 0;
  /** @type {Promise<void> | null} */
  #reading = null;
  #isWriting = false;
  #isTold = false;
  #isSocketOpen = false;
  #isSocketClosed = false;
  /** @type {unknown} */
  #deadline;
  /** @type {unknown} */
  #heartbeat;
  #setClosed = () => {};

  /**
   * @param {string} url
   * @param {SocketClass} socketClass
   * @param {Keys} keys
   * @param {Session} session
   * @param {Owner} owner
   * @param {Clock} clock
   */
  constructor(url, socketClass, keys, session, owner, clock) {
    this.#address = publicAddress(url);
    this.session = session;
    this.#keys = keys;
    this.#owner = owner;
    this.#clock = clock;
    this.#channel = clientChannel(keys.psk);
    this.#reader = new FrameReader(() => session.limits);
    this.closed = new Promise((resolve) => {
      this.#setClosed = () => resolve(undefined);
    });
    if (this.#channel.isOpen) session.channelOpened();
    const socket = new socketClass(url, [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#socketClosed(event);
    socket.onerror = () => {}; // `onclose` follows
    this.#socket = socket;
    this.#setDeadline(CONNECT_TIMEOUT_S, () => this.#lose(notConnected(this.#address)));
  }

  /** Send what the session has to send; call it after each use of the session. */
  flush() {
    void this.#write();
  }

  /**
   * End the session, and close the socket.
   *
   * @param {ChatError} error
   */
  leave(error) {
    this.session.leave(error);
    this.flush();
  }

  #opened() {
    if (this.session.isOver) return;
    this.#isSocketOpen = true;
    this.#setDeadline(HANDSHAKE_TIMEOUT_S, () => {
      this.session.timeOut();
      this.flush();
    });
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.session.isOver) return;
    if (!(data instanceof ArrayBuffer)) {
      const told = "the server sent text, so it is no chatd server";
      this.leave(new ChatError("not-binary", told));
      return;
    }
    this.#arrived.push(new Uint8Array(data));
    this.#arrivedBytes += data.byteLength;
    if (this.#arrivedBytes > MAX_UNREAD) {
      const told = "the server sends faster than this side reads";
      this.leave(new ChatError("slow-consumer", told, { retry: true }));
      return;
    }
    this.#reading ??= this.#read();
  }

  async #read() {
    try {
      while (this.#arrived.length > 0 && !this.session.isOver) {
        const bytes = concat(this.#arrived);
        this.#arrived = [];
        this.#channel.receive(bytes);
        await this.#openAll();
        this.#arrivedBytes -= bytes.length;
      }
    } catch (error) {
      this.session.fault(asChatError(error));
    } finally {
      this.#reading = null;
    }
    this.flush();
  }

  /** Open all that has arrived, and act on it. */
  async #openAll() {
    while (!this.session.isOver) {
      const plaintext = await this.#channel.next();
      if (this.session.state === "connecting" && this.#channel.isOpen) {
        this.session.channelOpened();
        this.flush();
      }
      if (plaintext.length === 0) return;
      this.#reader.receive(plaintext);
      await this.#openFrames();
      this.session.liveness.noteGathered(this.#reader.gathered);
    }
  }

  async #openFrames() {
    const { session } = this;
    while (!session.isOver) {
      const frames = this.#reader.take(session.isEstablished ? BATCH_FRAMES : 1);
      if (frames.length === 0) return;
      const { maxContent } = session;
      const opened = frames.map((frame) => openMessage(this.#keys.mac, frame, maxContent));
      for (const message of await Promise.all(opened)) {
        const event = session.receive(message);
        if (event?.kind === "welcome") this.#welcomed();
        if (event !== null) this.#owner.received(event);
      }
      this.flush();
    }
  }

  #welcomed() {
    this.#clock.clearTimeout(this.#deadline);
    const look = () => {
      this.session.look();
      if (this.session.isOver) this.flush();
      else this.#heartbeat = this.#clock.setTimeout(look, 1000 * this.session.heartbeatS);
    };
    this.#heartbeat = this.#clock.setTimeout(look, 1000 * this.session.heartbeatS);
  }

  async #write() {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (;;) {
        const handshake = this.#channel.takeHandshake();
        if (handshake.length > 0) this.#send(handshake);
        const outbox = this.session.takeOutbox(BATCH_FRAMES);
        if (outbox.length === 0) break;
        const frames = outbox.map(({ type, header, content }) =>
          sealEnvelope(this.#keys.mac, type, header, content),
        );
        this.#send(await this.#channel.seal(concat(await Promise.all(frames))));
      }
    } catch (error) {
      this.session.lost(asChatError(error));
    } finally {
      this.#isWriting = false;
    }
    if (this.session.isOver) this.#finish();
  }

  /** @param {Bytes} bytes */
  #send(bytes) {
    if (this.#isSocketOpen) this.#socket.send(bytes);
  }

  /** Close the socket: the session is over, and all of it is sent. */
  #finish() {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#clock.clearTimeout(this.#heartbeat);
    this.#clock.clearTimeout(this.#deadline);
    // Nothing is waited for if the socket is closed already.
    if (!this.#isSocketClosed) this.#setDeadline(CLOSE_TIMEOUT_S, () => this.#setClosed());
    this.#socket.close(CLOSE_NORMAL);
    this.#arrived = [];
    this.#owner.ended(/** @type {ChatError} */ (this.session.end));
  }

  /** @param {any} event */
  async #socketClosed(event) {
    this.#isSocketOpen = false;
    this.#isSocketClosed = true;
    const cause = event?.reason ? `: ${event.reason}` : "";
    const told =
      this.session.state === "connecting" || this.session.state === "greeting"
        ? `the server at ${this.#address} cannot be reached${cause}`
        : `the connection was lost${cause}`;
    await this.#reading; // a DISCONNECT may be in what arrived before the end
    this.#lose(new ChatError("connection-lost", told, { retry: true }));
    this.#clock.clearTimeout(this.#deadline);
    this.#setClosed();
  }

  /** @param {ChatError} error */
  #lose(error) {
    this.session.lost(error);
    this.flush();
  }

  /**
   * @param {number} seconds
   * @param {() => void} call
   */
  #setDeadline(seconds, call) {
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = this.#clock.setTimeout(call, 1000 * seconds);
  }
}

/**
 * @param {string} address
 * @returns {ChatError}
 */
function notConnected(address) {
  const told = `no answer from ${address}: look at the address and the network`;
  return new ChatError("connect-timeout", told, { retry: true });
}
