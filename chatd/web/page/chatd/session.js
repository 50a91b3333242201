/**
 * The client's side of a session, without I/O and without a clock: messages in, events and messages
 * out. Whoever drives it opens and seals the messages, calls `look` once in an interval, and sends
 * what `takeOutbox` returns.
 */

import { decodeLeniently, encodeText, NO_BYTES } from "./bytes.js";
import { ENVELOPE_BYTES } from "./envelope.js";
import { ByteFault, ChatError } from "./errors.js";
import { checkFields, JOINED, WELCOME } from "./fields.js";
import { cutText, encodeObject } from "./json.js";
import {
  DEFAULT_HEARTBEAT_S,
  MAX_CONTENT,
  MAX_HEADER,
  MAX_UNESTABLISHED_FRAME,
  SILENT_INTERVALS,
} from "./limits.js";
import { Liveness } from "./keepalive.js";
import { Type } from "./messages.js";
import { disconnected, reported } from "./refusals.js";
import { advance, SESSION_STATES } from "./states.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./messages.js").Message} Message */

/**
 * @typedef {object} Greeting What the client asks for in SESSION_ACK.
 * @property {string} [name]
 * @property {string} [password] Sent only where the server asks for it.
 * @property {string[]} [rooms] At most 20; undefined leaves the choice to the server.
 */

/**
 * @typedef {object} Welcome
 * @property {string} name
 * @property {string | null} room
 * @property {Fields[]} rooms Each with the fields of `JOINED`.
 */

// A message with its encoded header.
/** @typedef {{type: number, header: Bytes, content: Bytes}} Outgoing */
/** @typedef {{kind: "welcome", welcome: Welcome}} WelcomeEvent */
/** @typedef {{kind: "frame", message: Message}} FrameEvent */
/** @typedef {WelcomeEvent | FrameEvent} SessionEvent */

const PING = "ping";
const PONG = encodeText("pong");
/** @type {ReadonlySet<number>} */
const OPEN_TYPES = new Set([Type.MESSAGE, Type.ERROR, Type.RESULT, Type.EVENT]);
/** @type {ReadonlySet<number>} */
const KNOWN_TYPES = new Set(Object.values(Type));

export class Session {
  /** @type {import("./states.js").SessionState} */
  state = "connecting";
  /** @type {ChatError | null} Why it ended; null until then. */
  end = null;
  /** Name and version of the server. */
  server = "";
  heartbeatS = DEFAULT_HEARTBEAT_S;
  liveness = new Liveness();
  maxContent;
  #greeting;
  /** @type {Outgoing[]} */
  #outbox = [];
  /** @type {ChatError | null} */
  #refusal = null;

  /**
   * @param {Greeting} greeting
   * @param {number} [maxContent] This side's limit; the server may lower it.
   */
  constructor(greeting, maxContent = MAX_CONTENT) {
    this.#greeting = greeting;
    this.maxContent = maxContent;
  }

  get isEstablished() {
    return this.state === "established";
  }

  get isOver() {
    return this.state === "ended";
  }

  /** @returns {{maxFrame: number, maxContent: number}} The limits for what arrives. */
  get limits() {
    const maxFrame = this.isEstablished
      ? ENVELOPE_BYTES + MAX_HEADER + this.maxContent
      : MAX_UNESTABLISHED_FRAME;
    return { maxFrame, maxContent: this.maxContent };
  }

  /** Note that the channel is open. */
  channelOpened() {
    this.#advance("greeting");
  }

  /**
   * @param {number} [most]
   * @returns {Outgoing[]} Once, the next messages to send.
   */
  takeOutbox(most = Infinity) {
    return this.#outbox.splice(0, most);
  }

  /**
   * Queue a message; do nothing if the session is over.
   *
   * @param {number} type
   * @param {Fields} header
   * @param {Bytes} [content]
   * @throws {ChatError} The header cannot be sent.
   */
  send(type, header, content = NO_BYTES) {
    const encoded = encodeObject(header);
    if (!this.isOver) this.#outbox.push({ type, header: encoded, content });
  }

  /**
   * Act on what arrived: an opened message, or the error about it.
   *
   * @param {Message | ChatError} arrived
   * @returns {SessionEvent | null} The event for the program, if there is any.
   */
  receive(arrived) {
    if (this.isOver) return null;
    if (arrived instanceof ByteFault) {
      this.fault(arrived);
      return null;
    }
    this.liveness.noteHeard();
    try {
      if (arrived instanceof ChatError) throw arrived;
      return this.#act(arrived);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.sendError(error);
      return null;
    }
  }

  /**
   * Tell the server of a fault in what it sent.
   *
   * @param {ChatError} error
   */
  sendError(error) {
    const ref = error.ref === null ? undefined : error.ref;
    this.send(Type.ERROR, { code: error.code, message: cutText(error.message), ref });
  }

  /**
   * End the session for a fault in the bytes, or because the two sides do not fit.
   *
   * @param {ChatError} error
   */
  fault(error) {
    if (this.isOver) return;
    if (error instanceof ByteFault && this.state !== "connecting") {
      this.sendError(error);
      this.#sendDisconnect(error, false);
    }
    this.#finish(error);
  }

  /**
   * End the session with a DISCONNECT.
   *
   * @param {ChatError} error
   */
  leave(error) {
    if (this.isOver) return;
    if (this.state !== "connecting") this.#sendDisconnect(error, error.retry);
    this.#finish(error);
  }

  /** @param {ChatError} error Why the transport is gone. */
  lost(error) {
    if (!this.isOver) this.#finish(this.#refusal ?? error);
  }

  /** The welcome did not come in time. */
  timeOut() {
    const told = "the server did not answer the greeting in time";
    this.leave(this.#refusal ?? new ChatError("handshake-timeout", told, { retry: true }));
  }

  /** Call it at the end of each interval: the session ends after three silent ones. */
  look() {
    if (!this.isEstablished) return;
    if (this.liveness.endInterval()) {
      const silence = SILENT_INTERVALS * this.heartbeatS;
      const told = `the server was silent for ${silence} seconds`;
      this.leave(new ChatError("heartbeat-timeout", told, { retry: true }));
    }
  }

  /**
   * @param {Message} message
   * @returns {SessionEvent | null}
   */
  #act(message) {
    const { type, header } = message;
    if (this.isEstablished && OPEN_TYPES.has(type)) return { kind: "frame", message };
    if (type === Type.HEARTBEAT) {
      this.#answerHeartbeat(message);
    } else if (type === Type.DISCONNECT) {
      this.#finish(disconnected(header));
    } else if (type === Type.SESSION_INIT && this.state === "greeting") {
      this.#answerGreeting(header);
    } else if (type === Type.ERROR) {
      this.#receiveRefusal(header);
    } else if (type === Type.EVENT && this.state === "admission" && header.event === "welcome") {
      return this.#receiveWelcome(header);
    } else {
      throw unexpected(message);
    }
    return null;
  }

  /** @param {Message} message */
  #answerHeartbeat({ header, content }) {
    const word = decodeLeniently(content);
    if (word === PING) {
      this.send(Type.HEARTBEAT, { n: header.n }, PONG);
    } else if (word !== "pong") {
      throw new ChatError("bad-request", "a heartbeat must be a ping or a pong");
    }
  }

  /** @param {Fields} init */
  #answerGreeting(init) {
    this.server = cutText(String(init.server ?? ""));
    this.heartbeatS = Number(init.heartbeat ?? DEFAULT_HEARTBEAT_S);
    // A lying server must not decide how much memory this side takes.
    this.maxContent = Math.min(this.maxContent, Number(init.max_content ?? MAX_CONTENT));
    this.#advance("admission");
    const { name, password, rooms } = this.#greeting;
    const asked = init.auth === true ? password : undefined;
    this.send(Type.SESSION_ACK, { session_id: init.session_id, name, password: asked, rooms });
  }

  /** @param {Fields} header */
  #receiveRefusal(header) {
    this.#refusal = reported(header);
    // The server would take another SESSION_ACK, but this side has none.
    if (this.state === "admission" && header.code === "bad-request") this.leave(this.#refusal);
  }

  /**
   * @param {Fields} header
   * @returns {SessionEvent}
   */
  #receiveWelcome(header) {
    checkFields(header, WELCOME);
    const told = Array.isArray(header.rooms) ? header.rooms : [];
    for (const room of told) checkFields(Object(room), JOINED);
    this.#advance("established");
    const room = /** @type {string | null} */ (header.room ?? null);
    return { kind: "welcome", welcome: { name: String(header.name), room, rooms: told } };
  }

  /**
   * @param {ChatError} error
   * @param {boolean} retry
   */
  #sendDisconnect(error, retry) {
    const reason = cutText(error.message);
    this.send(Type.DISCONNECT, { code: error.code, reason, retry });
  }

  /** @param {ChatError} end */
  #finish(end) {
    this.#advance("ended");
    this.end = end;
  }

  /** @param {import("./states.js").SessionState} state */
  #advance(state) {
    this.state = advance(SESSION_STATES, this.state, state);
  }
}

/**
 * @param {Message} message
 * @returns {ChatError}
 */
function unexpected({ type, header }) {
  const ref = typeof header.id === "string" ? header.id : null;
  return KNOWN_TYPES.has(type)
    ? new ChatError("unexpected-type", `type ${type} is not allowed now`, { ref })
    : new ChatError("unknown-type", `type ${type} is unknown`, { ref });
}
