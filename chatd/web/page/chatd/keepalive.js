/** `Liveness`: whether the server is still there. It has no clock: its owner ends the intervals. */

import { GATHERING_BYTES, SILENT_INTERVALS } from "./limits.js";

export class Liveness {
  #wasHeard = false;
  #silentIntervals = 0;
  #gathered = 0;

  /** Note a sign of life: a valid frame. */
  noteHeard() {
    this.#wasHeard = true;
  }

  /**
   * Count each further 16 KiB of a long frame as a sign of life.
   *
   * @param {number} gathered Bytes received of an incomplete frame.
   */
  noteGathered(gathered) {
    if (gathered < this.#gathered) this.#gathered = 0;
    if (gathered - this.#gathered >= GATHERING_BYTES) {
      this.#gathered = gathered;
      this.noteHeard();
    }
  }

  /** @returns {boolean} Whether this interval is the third silent one in a row. */
  endInterval() {
    this.#silentIntervals = this.#wasHeard ? 0 : this.#silentIntervals + 1;
    this.#wasHeard = false;
    return this.#silentIntervals >= SILENT_INTERVALS;
  }
}
