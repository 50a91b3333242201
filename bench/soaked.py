"""The benchmark's control of the soaked daemon: starts it, stops it and lets it count."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.counts import FILE, Counts
from bench.hostile import count_tracebacks
from bench.peers import Launch, Peer, Server, running
from chatd.config.keyfile import write_key_file

__all__ = ["Daemon"]

HEARTBEAT_S = 1.0
STOP_S = 20.0
"""Time that the daemon may take to end, in seconds."""
COUNT_S = 10.0
"""Time that the daemon may take to count, in seconds."""
_LOOK_S = 0.02


class Daemon:
    """The soaked daemon.

    Args:
        peer: The kind of server.
        kept: An empty directory for its key and its data.

    Attributes:
        server: The running server, or None while none runs.
        tracebacks: The number of tracebacks in the logs of the stopped servers.
    """

    def __init__(self, peer: Peer, kept: Path) -> None:
        self._key_file = kept / "key"
        self._data = kept / "data"
        self._key = write_key_file(self._key_file)
        self._peer = replace(peer, prepare=self._prepare)
        self._stack = ExitStack()
        self.server: Server | None = None
        self.tracebacks = 0

    def start(self) -> Server:
        """Start the daemon on its data."""
        server = self._stack.enter_context(running(self._peer))
        self.server = server
        return server

    def end(self) -> None:
        """Stop the daemon as an operator does, with SIGTERM.

        Raises:
            ChildProcessError: Its exit status is not 0.
            subprocess.TimeoutExpired: It did not end in time.
        """
        server, self.server = self.server, None
        assert server is not None
        with self._stack.pop_all():
            server.process.terminate()
            if status := server.process.wait(STOP_S):
                raise ChildProcessError(f"the daemon ended with status {status}")
            self.tracebacks += count_tracebacks(server.work)

    def close(self) -> None:
        """Stop the daemon by any means, if it runs."""
        self.server = None
        self._stack.close()

    def ask(self) -> Counts:
        """Let the daemon count its objects.

        Raises:
            TimeoutError: The daemon did not answer.
        """
        assert self.server is not None
        told = self.server.work / FILE
        before = told.stat().st_size
        os.kill(self.server.pid, signal.SIGUSR1)
        deadline = time.monotonic() + COUNT_S
        while time.monotonic() < deadline:
            line = told.read_bytes()[before:]
            if line.endswith(b"\n"):
                return msgspec.json.decode(line, type=Counts)
            time.sleep(_LOOK_S)
        raise TimeoutError(f"the daemon did not count in {COUNT_S:g} s")

    def _prepare(self, work: Path, port: int) -> Launch:
        module = [sys.executable, "-m", "bench.soak_server"]
        arguments = [str(port), str(self._key_file), str(self._data), str(HEARTBEAT_S)]
        return Launch([*module, *arguments], self._key)
