/** `ChatClient`: a client that stays connected; and `connect`, which makes it. */

import { Answers } from "./answers.js";
import { randomId } from "./bytes.js";
import { asChatError, ChatError } from "./errors.js";
import { Incoming } from "./incoming.js";
import { encodeObject } from "./json.js";
import { Keeper } from "./keeper.js";
import { checkCrypto, importKeys, readKey } from "./keys.js";
import { DEFAULT_PAGE, MAX_CONTENT, MAX_FIRST_ROOMS } from "./limits.js";
import { readPages } from "./lists.js";
import { fold } from "./names.js";
import { checkOptions, isTexts, REAL_CLOCK, realNetwork } from "./options.js";
import { Progress } from "./progress.js";
import { Requests } from "./requests.js";
import { catchUp, rejoin } from "./resume.js";
import { Sending } from "./sending.js";
import { Session } from "./session.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").SocketClass} SocketClass */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").Welcomed} Welcomed */
/** @typedef {import("./progress.js").Receipt} Receipt */
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
  /** The client's name; empty until the welcome. */
  name = "";
  #url;
  #options;
  #clock;
  #keeper;
  #progress;
  #answers = new Answers();
  #incoming;
  #requests;
  #sending;
  #isKeyed = false;
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
    const { clock = REAL_CLOCK, network = realNetwork() } = options;
    const { reconnect = true, persist = false } = options;
    const socketClass = options.WebSocket ?? globalThis.WebSocket;
    this.#url = url;
    this.#options = { ...options };
    this.#clock = clock;
    this.#progress = new Progress(isTexts(options.rooms) ? options.rooms : undefined);
    this.#keeper = new Keeper(
      { url, socketClass, clock, network, reconnects: reconnect, persists: persist },
      {
        makeSession: () => this.#makeSession(),
        received: (event, connection) => this.#received(event, connection),
        lost: (error) => this.#answers.failAll(error),
        stateChanged: (state, error) => this.#stateChanged(state, error),
      },
    );
    const incoming = new Incoming(
      () => this.name,
      this.#progress,
      this.#answers,
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
        tellPassword: (password) => (this.#options.password = password),
      },
      () => this.#keeper.connection,
    );
    this.#sending = new Sending(this.#progress, () =>
      this.state === "open" ? this.#keeper.connection : null,
    );
    this.welcomed = new Promise((resolve, reject) => {
      this.#resolveWelcomed = resolve;
      this.#rejectWelcomed = reject;
    });
    this.welcomed.catch(() => {}); // the event `state` tells it too
    void this.#begin(socketClass);
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
    return this.#progress.unconfirmed.size;
  }

  /**
   * Send a message, now or with the next session; it is sent again until its receipt comes.
   *
   * @param {string | Uint8Array} content Text, or bytes.
   * @param {{room?: string, to?: string, id?: string, contentType?: string}} [place] The room, or
   *   the name; without both, the first room.
   * @returns {Promise<Receipt>} Rejects if the server refuses the message, or the client ends. If
   *   nobody waits for it, that is no unhandled rejection.
   */
  send(content, { room, to, id = randomId(), contentType } = {}) {
    const header = { id, room, to, content_type: contentType };
    const isOver = this.state === "ended";
    const receipt = isOver ? Promise.reject(hasEnded()) : this.#sending.send(content, header);
    receipt.catch(() => {});
    return receipt;
  }

  /**
   * Join a room; the server creates it if it is not there.
   *
   * @param {string} room
   * @returns {Promise<JoinedRoom>}
   */
  async join(room) {
    this.#checkOpen();
    return this.#requests.join(room);
  }

  /**
   * @param {string} room
   * @returns {Promise<void>}
   */
  async leave(room) {
    this.#checkOpen();
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
  async history(place, { before, after, limit = DEFAULT_PAGE } = {}) {
    this.#checkOpen();
    const where = typeof place === "string" ? { room: place } : { with: place?.with };
    return this.#requests.history({ ...where, before, after, limit });
  }

  /**
   * Give a command of the protocol; `history` has a method of its own.
   *
   * @param {string} command
   * @param {Fields} [fields] Its fields, as the protocol names them.
   * @returns {Promise<Fields>} The fields of the RESULT.
   */
  async command(command, fields = {}) {
    this.#checkOpen();
    if (command === "password" && !this.#isEncrypted) {
      const told = "a password is not sent in the clear: use a key, or a wss: address";
      throw new ChatError("auth-in-clear", told);
    }
    return this.#requests.command(command, fields);
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
   * End the session. Messages on their way get their receipts first, for up to 5 seconds; those
   * that wait for a session fail.
   *
   * @returns {Promise<void>} Fulfilled when the connection is closed.
   */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** @param {SocketClass | undefined} socketClass */
  async #begin(socketClass) {
    try {
      checkCrypto();
      checkOptions(this.#options);
      if (socketClass === undefined) {
        const told = "there is no WebSocket here: give the option WebSocket";
        throw new ChatError("no-websocket", told);
      }
      const { key } = this.#options;
      delete this.#options.key; // only WebCrypto keeps it
      const raw = key === undefined || key === null || key === "" ? null : readKey(key);
      this.#isKeyed = raw !== null;
      this.#keeper.begin(await importKeys(raw));
    } catch (error) {
      await null; // so that the caller of `connect` hears of it
      this.#keeper.end(asChatError(error));
    }
  }

  /** @returns {Session} */
  #makeSession() {
    const { password, maxContent = MAX_CONTENT } = this.#options;
    const name = this.name || this.#options.name || undefined;
    const rooms = this.#progress.firstRooms(MAX_FIRST_ROOMS);
    const greeting = { name, password: this.#isEncrypted ? password : undefined, rooms };
    encodeObject(greeting); // fails now if it cannot be sent
    return new Session(greeting, maxContent);
  }

  /** @returns {boolean} */
  get #isEncrypted() {
    return this.#isKeyed || /^wss:/i.test(this.#url);
  }

  /**
   * @param {SessionEvent} event
   * @param {Connection} connection
   */
  #received(event, connection) {
    if (event.kind === "frame") {
      this.#incoming.receive(event.message, connection);
    } else {
      this.name = event.welcome.name;
      this.#incoming.resumable = this.#resumableOn(connection);
      void this.#resume(connection, event.welcome);
    }
  }

  /**
   * @param {Connection} connection
   * @returns {import("./resume.js").Resumable}
   */
  #resumableOn(connection) {
    const requests = this.#requests;
    const incoming = this.#incoming;
    return {
      join: (room, place) => requests.join(room, place),
      read: (position, limit, read) => requests.directAfter(position, limit, read),
      command: (command, fields) => requests.command(command, fields),
      receive: (message) => incoming.take(message, connection),
      isOver: () => connection.session.isOver,
      tellJoined: (joined) => incoming.tellJoined(joined),
      tellRooms: () => incoming.tellRooms(),
      tellRecovered: (place, recovered) => incoming.tellRecovered(place, recovered),
      tellError: (error) => incoming.tellError(error),
    };
  }

  /**
   * Continue where the last session ended.
   *
   * @param {Connection} connection
   * @param {import("./session.js").Welcome} welcome
   */
  async #resume(connection, welcome) {
    const progress = this.#progress;
    const resumable = this.#resumableOn(connection);
    try {
      await rejoin(resumable, progress, welcome.rooms);
      await catchUp(resumable, progress, progress.wasConnected);
    } catch (error) {
      this.#comeBack(connection, error);
    }
    if (connection.session.isOver) return;
    progress.wasConnected = true;
    this.#keeper.opened();
    this.#sending.sendAll();
    this.#resolveWelcomed({
      name: this.name,
      server: connection.session.server,
      encrypted: this.#isEncrypted,
      room: this.rooms[0] ?? null,
      rooms: this.rooms,
      maxContent: connection.session.maxContent,
    });
  }

  /**
   * End a session that cannot go on; the next one may.
   *
   * @param {Connection} connection
   * @param {unknown} error
   */
  #comeBack(connection, error) {
    const { code, message } = asChatError(error);
    connection.leave(new ChatError(code, message, { retry: true }));
  }

  /** @param {string} name The client's new name. */
  #renamed(name) {
    const isSame = fold(name) === fold(this.name);
    this.name = name;
    const { connection } = this.#keeper;
    if (isSame || connection === null) return;
    this.#progress.direct.clear(); // another name has other direct messages
    const learnt = catchUp(this.#resumableOn(connection), this.#progress, false);
    learnt.catch((error) => this.#comeBack(connection, error));
  }

  #checkOpen() {
    if (this.state === "ended") throw hasEnded();
    if (this.state !== "open") {
      throw new ChatError("connection-lost", "there is no session now", { retry: true });
    }
  }

  /**
   * @param {import("./states.js").ClientState} state
   * @param {ChatError | null} error
   */
  #stateChanged(state, error) {
    this.#tell("state", error === null ? { state } : { state, error });
    if (state !== "ended" || error === null) return;
    this.#rejectWelcomed(error);
    this.#progress.close(error);
  }

  async #close() {
    const goodbye = new ChatError("goodbye", "the client has left");
    if (this.state === "open") await this.#sending.lastReceipts(this.#clock);
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

/** @returns {ChatError} */
function hasEnded() {
  return new ChatError("connection-lost", "the client has ended");
}
