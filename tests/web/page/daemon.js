/** A daemon as a process, on a UNIX socket in a directory of its own. */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Path of `twistd`; the tests that need a daemon are skipped without it. */
export const TWISTD = process.env.CHATD_TWISTD;
export const NEEDS_TWISTD = TWISTD === undefined ? "CHATD_TWISTD names no twistd" : false;

export class Daemon {
  #process = null;

  /** @param {{key?: string, options?: string[]}} [settings] */
  constructor({ key, options = [] } = {}) {
    this.directory = mkdtempSync(join(tmpdir(), "chatd-"));
    this.path = join(this.directory, "socket");
    this.options = [
      "--endpoint",
      `unix:${this.path}`,
      "--data",
      join(this.directory, "data"),
      ...options,
    ];
    if (key !== undefined) {
      const file = join(this.directory, "key");
      writeFileSync(file, key, { mode: 0o600 });
      this.options.push("--key-file", file);
    }
  }

  /** Give it accounts, each with a password; call it before the start. */
  addAccounts(passwords) {
    const file = join(this.directory, "passwd");
    for (const [name, password] of Object.entries(passwords)) {
      execFileSync(join(dirname(TWISTD), "chatd"), ["passwd", file, name], { input: password });
    }
    this.options.push("--password-file", file);
  }

  /** Start it, and wait until it listens. */
  async start() {
    const daemon = spawn(TWISTD, ["-n", "--pidfile=", "chatd", ...this.options], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = daemon;
    for await (const line of createInterface({ input: daemon.stdout })) {
      if (line.includes("listening on")) {
        daemon.stdout.resume();
        return;
      }
    }
    throw new Error("the daemon did not start");
  }

  /** Let it write no file, or write again. */
  limitFiles(isLimited) {
    const soft = isLimited ? "0" : "resource.RLIM_INFINITY";
    const program = `
import resource
limit = (${soft}, resource.RLIM_INFINITY)
resource.prlimit(${this.#process.pid}, resource.RLIMIT_FSIZE, limit)`;
    execFileSync(join(dirname(TWISTD), "python"), ["-c", program]);
  }

  /** End it as `kill -9` does. */
  async kill() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** End it, and remove its directory. */
  async remove() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
