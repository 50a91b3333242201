"""A real redis-server for tests, and connections to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hiredis
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError

from chatd.backplane.redis.connections import LostError, RefusedError
from chatd.errors import StoreError

PROGRAM = shutil.which("redis-server")
"""The program, or None: tests that need it are skipped then."""
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer:
    """A redis-server on a UNIX socket in a directory of its own.

    Args:
        options: Options of redis-server.
        config: The text of its redis.conf; None for no such file.

    Attributes:
        config_file: The path of its redis.conf.
        path: The path of its socket.
        port: The port on which it listens; 0 for none.
    """

    def __init__(self, *options: str, config: str | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chatd-redis-"))
        self.path = str(self.directory / "socket")
        self.options = options
        self.config_file = self.directory / "redis.conf"
        if config is not None:
            self.config_file.write_text(config)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._blocking: BlockingCommands | None = None

    def start(self) -> RedisServer:
        """Start the server, and wait until it answers."""
        assert PROGRAM is not None
        own = ["--port", "0", "--unixsocket", self.path, "--dir", str(self.directory)]
        own += ["--save", "", "--daemonize", "no"]
        files = [str(self.config_file)] if self.config_file.exists() else []
        started = [PROGRAM, *files, *own, *self.options]
        self._process = subprocess.Popen(started, stdout=subprocess.PIPE)
        lines = []
        for line in self._process.stdout:
            lines.append(line.decode())
            if b"eady to accept connections" in line:
                return self
        raise AssertionError("redis-server does not start: " + "".join(lines))

    def kill(self) -> None:
        """End the server at once."""
        if self._blocking is not None:
            self._blocking.close()
            self._blocking = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def listen(self, setting: str = "port") -> int:
        """Listen on a free port of this machine too, and return it; `tls-port` is for TLS."""
        for _ in range(20):  # another program may take the port first
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port: int = probe.getsockname()[1]
            if self.command("CONFIG", "SET", setting, port) == b"OK":
                self.port = port
                return port
        raise AssertionError("no free port")

    def follow(self, primary: RedisServer) -> None:
        """Become a replica of a server, and wait until it has its data."""
        for each in (primary, self):
            if not each.port:
                each.listen()
        primary.command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        self.command("REPLICAOF", "127.0.0.1", primary.port)
        primary.wait_for_replica()
        while not self._has_written_all():
            pass

    def _has_written_all(self) -> bool:
        """Return whether the disk has what came from the primary."""
        lines = self.command("INFO", "persistence").decode().splitlines()
        return {"aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"} <= set(lines)

    def wait_for_replica(self) -> None:
        """Wait until a replica has all that was written so far."""
        self.command("SET", "waited", "for")
        assert self.command("WAIT", 1, 20_000) == 1

    def promote(self) -> None:
        """Be a replica no more."""
        assert self.command("REPLICAOF", "NO", "ONE") == b"OK"

    def freeze(self) -> None:
        """Stop the server's process, as if it were very slow."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server's process go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """End the server, and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory)

    def command(self, *arguments: object):
        """Run a command, and return the reply."""
        if self._blocking is None:
            self._blocking = BlockingCommands(self.path)
        return self._blocking.ask(arguments)

    async def dial(self, make):
        """Connect a protocol on the reactor."""
        from twisted.internet import reactor

        try:
            return await connectProtocol(UNIXClientEndpoint(reactor, self.path), make())
        except ConnectError as error:
            raise StoreError(str(error)) from error

    async def dial_at_once(self, make):
        """Connect without a reactor: the replies come at once, and pushes never."""
        return BlockingCommands(self.path)


class BlockingCommands:
    """Stands for both connections of a link; it needs no reactor."""

    def __init__(self, path: str) -> None:
        self.connected = 1
        self.on_lost = self.on_push = lambda *arguments: None
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._reader = hiredis.Reader(replyError=RefusedError)

    def ask(self, arguments):
        """Run a command, and return the reply or the error."""
        packed = [each if isinstance(each, bytes) else str(each).encode() for each in arguments]
        parts = b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in packed)
        self._socket.sendall(b"*%d\r\n%b" % (len(packed), parts))
        return self._reply()

    def _reply(self):
        while (reply := self._reader.gets()) is False:
            data = self._socket.recv(1 << 20)
            if not data:
                return LostError("Lost connection")
            self._reader.feed(data)
        return reply

    def execute_command(self, *arguments: object) -> Deferred[Any]:
        """See `Commands`."""
        reply = self.ask(arguments)
        return fail(reply) if isinstance(reply, Exception) else succeed(reply)

    def subscribe(self, channels) -> Deferred[Any]:
        """See `Pushes`."""
        names = list(channels)
        self.ask(("SUBSCRIBE", *names))
        for _ in names[1:]:
            self._reply()
        return succeed(None)

    def unsubscribe(self, channels) -> None:
        """See `Pushes`; the pushes are not read in any case."""

    def close(self) -> None:
        """Close the socket."""
        self.connected = 0
        self._socket.close()

    def abort(self) -> Deferred[Any]:
        """See `Commands`."""
        self.close()
        return succeed(None)
