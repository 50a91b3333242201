/** WebSockets in place of a daemon's UNIX socket: the bytes of each go to the other. */

import { createConnection } from "node:net";

/**
 * @param {string} path The path of the daemon's socket.
 * @param {(data: Uint8Array) => Uint8Array[]} [cut] Cuts what arrives into messages.
 * @returns A class of sockets, and those that are open.
 */
export function bridgeTo(path, cut = (data) => [data]) {
  const open = new Set();
  class BridgedSocket {
    binaryType = "blob";
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;

    constructor() {
      this.connection = createConnection(path);
      this.connection.on("connect", () => {
        open.add(this);
        this.onopen?.({});
      });
      this.connection.on("data", (data) => {
        for (const piece of cut(Uint8Array.from(data)))
          this.onmessage?.({ data: piece.slice().buffer });
      });
      this.connection.on("error", () => this.onerror?.({}));
      this.connection.on("close", () => {
        open.delete(this);
        this.onclose?.({ code: 1006, reason: "" });
      });
    }

    send(data) {
      this.connection.write(data);
    }

    close() {
      this.connection.end();
    }

    /** Lose the connection. */
    drop() {
      this.connection.destroy();
    }
  }
  return { WebSocket: BridgedSocket, open };
}
