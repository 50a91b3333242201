/** `Incoming`: gives each frame of an established session to whoever waits for it. */

import { asChatError, ChatError } from "./errors.js";
import { checkEvent } from "./fields.js";
import { MAX_FILLING } from "./limits.js";
import { Type } from "./messages.js";
import { fold } from "./names.js";
import { chatMessage } from "./progress.js";
import { fetchMissing } from "./resume.js";
import { reported } from "./refusals.js";

/** @typedef {import("./answers.js").Answers} Answers */
/** @typedef {import("./json.js").Fields} Fields */
/** @typedef {import("./messages.js").Message} Message */
/** @typedef {import("./progress.js").ChatMessage} ChatMessage */
/** @typedef {import("./progress.js").Position} Position */
/** @typedef {import("./progress.js").Progress} Progress */
/** @typedef {import("./resume.js").JoinedRoom} JoinedRoom */
/** @typedef {import("./resume.js").Resumable} Resumable */
/** @typedef {import("./sending.js").Sending} Sending */
/** @typedef {import("./connection.js").Connection} Connection */

/** Events that change who is there. */
const PRESENCE = new Set(["joined", "left", "renamed", "away", "absent"]);
const TOLD = new Set([...PRESENCE, "topic", "invited", "room-changed"]);

export class Incoming {
  /** @type {Resumable | null} With which gaps are filled. */
  resumable = null;
  #ownName;
  #progress;
  #answers;
  #sending;
  #tell;
  #filling = 0;

  /**
   * @param {() => string} ownName
   * @param {Progress} progress
   * @param {Answers} answers
   * @param {Sending} sending
   * @param {(type: string, detail: unknown) => void} tell Tells the program of an event.
   */
  constructor(ownName, progress, answers, sending, tell) {
    this.#ownName = ownName;
    this.#progress = progress;
    this.#answers = answers;
    this.#sending = sending;
    this.#tell = tell;
  }

  /**
   * @param {Message} frame
   * @param {Connection} connection The connection that it came on.
   */
  receive(frame, connection) {
    const { type, header } = frame;
    if (type === Type.MESSAGE) {
      this.#receiveMessage(frame, connection);
    } else if (type === Type.RESULT) {
      this.#receiveResult(String(header.id), header);
    } else if (type === Type.ERROR) {
      this.#receiveError(reported(header));
    } else {
      this.#receiveEvent(header, connection);
    }
  }

  /**
   * Take a message: as a receipt, if it is one, and as news, if it is new.
   *
   * @param {ChatMessage} message
   * @param {Connection} connection
   */
  take(message, connection) {
    const { id, seq, own } = message;
    // Another client's message may have the same id: only the client's own is a receipt.
    const kept = seq === null || own ? this.#sending.confirmed(id) : undefined;
    const { isNews, gap } = this.#progress.take(message);
    if (isNews) this.#tell("message", message);
    const isOld = kept !== undefined && seq !== null && seq <= (gap?.seq ?? 0);
    if (gap !== null && !isOld) void this.#fill(gap, connection);
    kept?.confirmed({ id, seq: seq ?? 0, time: message.time ?? 0 });
  }

  /** @param {JoinedRoom} joined */
  tellJoined(joined) {
    this.#tell("joined", { ...joined, name: this.#ownName(), own: true });
    this.tellRooms();
  }

  /**
   * @param {string} room A room that this client has left, or was removed from.
   * @param {boolean} removed
   */
  tellLeft(room, removed) {
    if (!this.#progress.left(room)) return;
    this.#tell("left", { room, name: this.#ownName(), own: true, removed });
    this.tellRooms();
  }

  /**
   * @param {{room?: string, with?: string}} place
   * @param {boolean} recovered
   */
  tellRecovered(place, recovered) {
    this.#tell("recovered", { ...place, recovered });
  }

  /** @param {ChatError} error An error that answers no request. */
  tellError(error) {
    this.#tell("error", error);
  }

  tellRooms() {
    this.#tell("rooms", { rooms: this.#progress.roomNames });
  }

  /**
   * @param {Message} frame
   * @param {Connection} connection
   */
  #receiveMessage(frame, connection) {
    const message = chatMessage(frame, this.#ownName());
    const ref = typeof frame.header.ref === "string" ? frame.header.ref : null;
    const page = this.#answers.pageOf(ref);
    if (page === null) {
      this.take(message, connection);
    } else if (!page.add(message, connection.session.maxContent)) {
      const told = "the server's answer is larger than requested";
      connection.leave(new ChatError("slow-consumer", told, { retry: true }));
    }
  }

  /**
   * @param {string} id
   * @param {Fields} result
   */
  #receiveResult(id, result) {
    if (this.#answers.answer(id, result)) return;
    const told = "the server's answer is not understood: it has a result for a message";
    this.#sending.refused(id, new ChatError("bad-request", told, { ref: id }));
  }

  /** @param {ChatError} error */
  #receiveError(error) {
    if (this.#answers.fail(error.ref, error) || this.#sending.refused(error.ref, error)) return;
    this.tellError(error);
  }

  /**
   * @param {Fields} header
   * @param {Connection} connection
   */
  #receiveEvent(header, connection) {
    try {
      checkEvent(header);
    } catch (error) {
      connection.session.sendError(asChatError(error));
      return;
    }
    const { event, old_name: oldName, ...rest } = header;
    const kind = String(event);
    const detail = oldName === undefined ? rest : { ...rest, oldName };
    const own = fold(String(header.name ?? "")) === fold(this.#ownName());
    if (kind === "removed") this.tellLeft(String(header.room), true);
    if (TOLD.has(kind)) this.#tell(kind, { ...detail, own });
    if (PRESENCE.has(kind)) this.#tell("presence", { ...detail, own, change: kind });
    this.#tell("event", header);
  }

  /**
   * Fetch the direct messages after a position.
   *
   * @param {Position} position
   * @param {Connection} connection
   */
  async #fill(position, connection) {
    if (this.resumable === null || this.#filling >= MAX_FILLING) return;
    this.#filling += 1;
    try {
      await fetchMissing(this.resumable, position);
    } catch (error) {
      const { code, message } = asChatError(error);
      connection.leave(new ChatError(code, message, { retry: true })); // the next one may do it
    } finally {
      this.#filling -= 1;
    }
  }
}
