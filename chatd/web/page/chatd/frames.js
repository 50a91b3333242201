/** Frames: a stream of bytes, cut into envelopes. */

import { ByteQueue, viewOf } from "./bytes.js";
import { ENVELOPE_BYTES, checkPrelude } from "./envelope.js";
import { ByteFault } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

export const LENGTH_BYTES = 4;

/**
 * Cuts a stream into envelopes. A frame that will be refused is refused at its length or at its
 * prelude, before it is kept.
 */
export class FrameReader {
  #queue = new ByteQueue();
  #needed = LENGTH_BYTES;
  #isGathering = false;
  /** @type {ByteFault | null} */
  #fault = null;

  /** @param {() => {maxFrame: number, maxContent: number}} limits Returns the present limits. */
  constructor(limits) {
    this.limits = limits;
  }

  /** @returns {number} The received bytes of an incomplete frame whose start is good. */
  get gathered() {
    return this.#isGathering ? this.#queue.size : 0;
  }

  /** @returns {boolean} Whether no part of a frame waits. */
  get isEmpty() {
    return this.#queue.size === 0;
  }

  /** @param {Bytes} bytes */
  receive(bytes) {
    this.#queue.push(bytes);
  }

  /**
   * Return the next complete envelopes, without their lengths.
   *
   * @param {number} most
   * @returns {Bytes[]} None if no envelope is complete.
   * @throws {ByteFault} The next frame is faulty; those before it were returned.
   */
  take(most) {
    /** @type {Bytes[]} */
    const found = [];
    if (this.#fault !== null) throw this.#fault;
    if (this.#queue.size < this.#needed) return found;
    const bytes = this.#queue.peek();
    let offset = 0;
    this.#needed = LENGTH_BYTES;
    this.#isGathering = false;
    try {
      while (found.length < most && bytes.length - offset >= this.#needed) {
        const end = this.#endOf(bytes, offset);
        if (end > bytes.length) {
          this.#await(bytes, offset, end);
          break;
        }
        found.push(bytes.subarray(offset + LENGTH_BYTES, end));
        offset = end;
      }
    } catch (error) {
      if (!(error instanceof ByteFault)) throw error;
      this.#fault = error;
      if (found.length === 0) throw error;
    }
    this.#queue.drop(offset);
    return found;
  }

  /**
   * @param {Bytes} bytes
   * @param {number} offset
   * @returns {number}
   */
  #endOf(bytes, offset) {
    const length = viewOf(bytes).getUint32(offset);
    const { maxFrame } = this.limits();
    if (length > maxFrame) {
      throw new ByteFault("too-large", `a frame of ${length} bytes: the limit is ${maxFrame}`);
    }
    if (length < ENVELOPE_BYTES) {
      throw new ByteFault("bad-length", `a frame of ${length} bytes is too short`);
    }
    return offset + LENGTH_BYTES + length;
  }

  /**
   * Note how many bytes an incomplete frame needs; check its prelude as soon as it is there.
   *
   * @param {Bytes} bytes
   * @param {number} offset
   * @param {number} end
   */
  #await(bytes, offset, end) {
    const start = offset + LENGTH_BYTES;
    if (bytes.length - start < ENVELOPE_BYTES) {
      this.#needed = LENGTH_BYTES + ENVELOPE_BYTES;
      return;
    }
    checkPrelude(bytes.subarray(start), end - start, this.limits().maxContent);
    this.#needed = end - offset;
    this.#isGathering = true;
  }
}
