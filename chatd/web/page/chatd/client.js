/** `ChatClient`: a client that stays connected; and `connect`, which makes it. */

import { Answers } from "./answers.js";
import { checkRoom, takeCommand, takeHistory } from "./arguments.js";
import { asChatError, atCaller, ChatError } from "./errors.js";
import { Identity } from "./identity.js";
import { Incoming } from "./incoming.js";
import { Keeper } from "./keeper.js";
import { MAX_FIRST_ROOMS } from "./limits.js";
import { readPages } from "./lists.js";
import { fold } from "./names.js";
import { takeConnectOptions } from "./options.js";
import { Progress } from "./progress.js";
import { Requests } from "./requests.js";
import { Resumption } from "./resumption.js";
import { Sending } from "./sending.js";
import { Session } from "./session.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").Welcomed} Welcomed */
/** @typedef {import("./pending.js").Receipt} Receipt */
/** @typedef {import("./resume.js").HistoryPage} HistoryPage */
/** @typedef {import("./resume.js").JoinedRoom} JoinedRoom */
/** @typedef {import("./session.js").SessionEvent} SessionEvent */

/**
 * Connect to a server. It never throws: `welcomed` rejects.
 *
 * @param {string} url `wss://HOST/ws` or `ws://HOST/ws`
 * @param {Options} [options]
 * @returns {ChatClient}
 */
export function connect(url, options = {}) {
  return new ChatClient(url, options);
}

/** A client that stays connected. `docs/reference/javascript.md` lists its events. */
export class ChatClient extends EventTarget {
  /** @type {Promise<Welcomed>} Fulfilled when messages flow for the first time. */
  welcomed;
  #maxContent;
  #keeper;
  #progress;
  #answers = new Answers();
  #incoming;
  #requests;
  #sending;
  #identity;
  #resumption;
  /** @type {(welcomed: Welcomed) => void} */
  #resolveWelcomed = () => {};
  /** @type {(error: ChatError) => void} */
  #rejectWelcomed = () => {};
  /** @type {Promise<void> | null} */
  #closing = null;

  /**
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, options) {
    super();
    const { given, fault } = takeConnectOptions(options);
    const { clock, network, reconnect, persist, maxContent, WebSocket } = given;
    this.#maxContent = maxContent;
    this.#identity = new Identity(url, given);
    this.#progress = new Progress(given.rooms);
    this.#keeper = new Keeper(
      { url, socketClass: WebSocket, clock, network, reconnects: reconnect, persists: persist },
      {
        makeSession: () => this.#makeSession(),
        received: (event, connection) => this.#received(event, connection),
        lost: (error) => this.#lost(error),
        stateChanged: (state, error) => this.#stateChanged(state, error),
      },
    );
    this.#sending = new Sending(this.#progress, this.#keeper, clock, reconnect);
    const incoming = new Incoming(
      () => this.#identity.name,
      this.#progress,
      this.#answers,
      this.#sending,
      (type, detail) => this.#tell(type, detail),
    );
    this.#incoming = incoming;
    this.#requests = new Requests(
      this.#answers,
      this.#progress,
      {
        tellJoined: (joined) => incoming.tellJoined(joined),
        tellLeft: (room) => incoming.tellLeft(room, false),
        tellRenamed: (name) => this.#renamed(name),
        tellPassword: (password) => this.#identity.keepPassword(password),
      },
      () => this.#keeper.connection,
    );
    this.#resumption = new Resumption(this.#progress, this.#requests, incoming);
    const thrown = atCaller();
    this.welcomed = new Promise((resolve, reject) => {
      this.#resolveWelcomed = resolve;
      this.#rejectWelcomed = (error) => reject(thrown(error));
    });
    this.welcomed.catch(() => {}); // the event `state` tells it too
    void this.#begin(fault);
  }

  /** @returns {string} The client's name; empty until the welcome. */
  get name() {
    return this.#identity.name;
  }

  /** @returns {"connecting" | "open" | "waiting" | "ended"} */
  get state() {
    return this.#keeper.state;
  }

  /** @returns {string[]} The names of the rooms that the client is in. */
  get rooms() {
    return this.#progress.roomNames;
  }

  /** @returns {number} How many messages have no receipt yet. */
  get unconfirmed() {
    return this.#progress.pending.size;
  }

  /**
   * Send a message, now or with the next session; it is sent again until its receipt comes. While
   * the server's store fails, it waits, for about a minute.
   *
   * @param {string | Uint8Array} content Text, or bytes.
   * @param {{room?: string, to?: string, id?: string, contentType?: string}} [place] The room, or
   *   the name; without both, the first room.
   * @returns {Promise<Receipt>} Rejects if the server refuses the message, or the client ends. If
   *   nobody waits for it, that is no unhandled rejection.
   */
  send(content, place = {}) {
    const receipt = this.#sending.send(content, place);
    receipt.catch(() => {});
    return receipt;
  }

  /**
   * Join a room; the server creates it if it is not there.
   *
   * @param {string} room
   * @param {never[]} more Refused, as options that `join` does not have.
   * @returns {Promise<JoinedRoom>}
   */
  async join(room, ...more) {
    checkRoom("join", room, more);
    this.#keeper.checkOpen();
    return this.#requests.join(room);
  }

  /**
   * @param {string} room
   * @param {never[]} more Refused.
   * @returns {Promise<void>}
   */
  async leave(room, ...more) {
    checkRoom("leave", room, more);
    this.#keeper.checkOpen();
    await this.#requests.command("leave", { room });
  }

  /**
   * Read earlier messages: the newest, the newest before a `seq`, or the oldest after it.
   *
   * @param {string | {with: string}} place A room that the client is in, or another's name.
   * @param {{before?: number, after?: number, limit?: number}} [which] `limit` is 1 to 500, and 100
   *   if missing.
   * @returns {Promise<HistoryPage>}
   */
  async history(place, which = {}) {
    const fields = takeHistory(place, which);
    this.#keeper.checkOpen();
    return this.#requests.history(fields);
  }

  /**
   * Give a command of the protocol; `history` has a method of its own.
   *
   * @param {string} command
   * @param {Fields} [fields] Its fields, as the protocol names them.
   * @returns {Promise<Fields>} The fields of the RESULT.
   */
  async command(command, fields = {}) {
    const given = takeCommand(command, fields);
    this.#keeper.checkOpen();
    if (command === "password" && !this.#identity.isEncrypted) {
      const told = "a password is not sent in the clear: use a key, or a wss: address";
      throw new ChatError("auth-in-clear", told);
    }
    return this.#requests.command(command, given);
  }

  /**
   * Read a list that may be too long for one RESULT, such as that of `who`, page by page.
   *
   * @param {string} command
   * @param {Fields} [fields] Its fields, as the protocol names them.
   * @returns {AsyncGenerator<Fields, void, undefined>} The fields of each RESULT. It fails with
   *   `bad-request` if the list does not advance, or has more than 100,000 items.
   */
  pages(command, fields = {}) {
    return readPages((name, given) => this.command(name, given), command, fields);
  }

  /** Connect now, if the client waits to connect again: the network may be back. */
  retryNow() {
    this.#keeper.retryNow();
  }

  /**
   * End the session. Messages on their way, and those that wait for the server's store, get their
   * receipts first, for up to 5 seconds; those that wait for a session fail.
   *
   * @returns {Promise<void>} Fulfilled when the connection is closed.
   */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** @param {ChatError | null} fault What is wrong in the options, or missing here. */
  async #begin(fault) {
    try {
      if (fault !== null) throw fault;
      this.#keeper.begin(await this.#identity.takeKeys());
    } catch (error) {
      await null; // so that the caller of `connect` hears of it
      this.#keeper.end(asChatError(error));
    }
  }

  /** @returns {Session} */
  #makeSession() {
    const greeting = this.#identity.greeting(this.#progress.firstRooms(MAX_FIRST_ROOMS));
    return new Session(greeting, this.#maxContent);
  }

  /**
   * @param {SessionEvent} event
   * @param {Connection} connection
   */
  #received(event, connection) {
    if (event.kind === "frame") {
      this.#incoming.receive(event.message, connection);
    } else {
      this.#identity.name = event.welcome.name;
      void this.#resume(connection, event.welcome);
    }
  }

  /**
   * Continue where the last session ended; then messages flow.
   *
   * @param {Connection} connection
   * @param {import("./session.js").Welcome} welcome
   */
  async #resume(connection, welcome) {
    const isResumed = await this.#resumption.begin(connection, welcome);
    if (!isResumed || connection.session.isOver) return;
    this.#keeper.opened();
    this.#sending.sendWaiting();
    this.#resolveWelcomed({
      name: this.name,
      server: connection.session.server,
      encrypted: this.#identity.isEncrypted,
      room: this.rooms[0] ?? null,
      rooms: this.rooms,
      maxContent: connection.session.maxContent,
    });
  }

  /** @param {string} name The client's new name. */
  #renamed(name) {
    const isSame = fold(name) === fold(this.name);
    this.#identity.name = name;
    const { connection } = this.#keeper;
    if (!isSame && connection !== null) void this.#resumption.renamed(connection, name);
  }

  /** @param {ChatError} error */
  #lost(error) {
    this.#answers.failAll(error);
    this.#sending.lost();
  }

  /**
   * @param {import("./states.js").ClientState} state
   * @param {ChatError | null} error
   */
  #stateChanged(state, error) {
    this.#tell("state", error === null ? { state } : { state, error });
    if (state !== "ended" || error === null) return;
    this.#rejectWelcomed(error);
    this.#sending.close(error);
  }

  async #close() {
    const goodbye = new ChatError("goodbye", "the client has left");
    if (this.state === "open") await this.#sending.lastReceipts();
    this.#keeper.end(goodbye);
    const { connection } = this.#keeper;
    if (connection === null) return;
    connection.leave(goodbye);
    await connection.closed;
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
