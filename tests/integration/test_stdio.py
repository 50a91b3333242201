"""A daemon on standard input and output, as ssh and inetd start it: it serves, and ends."""

import os
import select
import signal
import socket
import subprocess
from typing import Any

import pytest

from tests.integration.peer import NO_KEY, Closed, Peer, Type
from tests.integration.processes import DEADLINE_S, run_command, script


class NearPeer(Peer):
    """A peer on the other side of a daemon's standard input and output.

    Args:
        process: The daemon; its input and output are pipes or, where they are None, a socket.
        near: This side of the socket; None for pipes.
    """

    def __init__(self, process, near=None):
        self.key, self.init, self._arrived, self._channel = NO_KEY, {}, bytearray(), None
        self._input = near or process.stdout
        self._output = near.makefile("wb") if near else process.stdin
        self._near = near

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            is_ready, _, _ = select.select([self._input], [], [], DEADLINE_S)
            assert is_ready, "the daemon neither writes nor closes"
            piece = os.read(self._input.fileno(), size - len(data))
            if not piece:
                raise Closed(f"{len(data)} bytes of {size}")
            data += piece
        return bytes(data)

    def write(self, data):
        self._output.write(data)
        self._output.flush()

    def end_input(self):
        """Close the sending side, and read on."""
        if self._near is None:
            self._output.close()
        else:
            self._near.shutdown(socket.SHUT_WR)

    def vanish(self):
        """Stop sending and reading, as if killed."""
        self._output.close()
        self._input.close()


class StdioDaemon:
    """A daemon whose peer is this test, killed with the context if it still runs.

    Args:
        directory: The directory for its log.
        carrier: The kind of its standard input and output: `pipes`, or one `socket` for both.
        options: More options of the daemon.
    """

    def __init__(self, directory, *options, carrier="pipes"):
        self._log = directory / "log"
        near: Any = None
        far: Any = None
        if carrier == "socket":
            near, far = socket.socketpair()
        twistd = [script("twistd"), "-n", "--pidfile=", f"--logfile={self._log}"]
        self.process = subprocess.Popen(
            [*twistd, "chatd", "--endpoint", "stdio:", *map(str, options)],
            stdin=far or subprocess.PIPE,
            stdout=far or subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if far is not None:
            far.close()
        self.peer = NearPeer(self.process, near)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.peer.vanish()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait(self):
        """Wait until the daemon ends by itself; check its log, and return its status."""
        status = self.process.wait(DEADLINE_S)
        assert self.process.stderr.read() == b""
        assert "Traceback" not in self.log
        return status

    @property
    def log(self):
        return self._log.read_text()


def say_many(peer, count):
    """Send many messages at once, without waiting for answers."""
    said = [peer.encoded(Type.MESSAGE, {"id": str(n)}, b"hello" * 100) for n in range(count)]
    peer.write(b"".join(said))


@pytest.mark.parametrize("carrier", ["pipes", "socket"])
def test_end_of_input(tmp_path, carrier):
    """At the end of its input the daemon answers all messages, and ends with status 0."""
    with StdioDaemon(tmp_path, carrier=carrier) as daemon:
        daemon.peer.establish("alice")
        say_many(daemon.peer, 100)
        daemon.peer.end_input()
        receipts = [frame.header["id"] for frame in daemon.peer.rest()]
        assert receipts == [str(n) for n in range(100)]
        assert daemon.wait() == 0
    assert "the peer on stdio: has gone" in daemon.log


@pytest.mark.parametrize("carrier", ["pipes", "socket"])
def test_peer_vanishes(tmp_path, carrier):
    """The daemon also ends with status 0 if the peer vanishes, before or after its login."""
    with StdioDaemon(tmp_path, carrier=carrier) as daemon:
        daemon.peer.vanish()
        assert daemon.wait() == 0
    with StdioDaemon(tmp_path, carrier=carrier) as daemon:
        daemon.peer.establish("alice")
        daemon.peer.vanish()
        assert daemon.wait() == 0


def test_last_words(tmp_path):
    """The daemon stores a peer's last message, even if the peer has gone."""
    data = tmp_path / "data"
    with StdioDaemon(tmp_path, "--data", data) as daemon:
        daemon.peer.establish("alice")
        say_many(daemon.peer, 20)
        daemon.peer.vanish()
        assert daemon.wait() == 0
    with StdioDaemon(tmp_path, "--data", data) as daemon:
        daemon.peer.establish("alice")
        assert [room["seq"] for room in daemon.peer.welcome["rooms"]] == [20]


def test_goodbye(tmp_path):
    """A daemon that stops tells its peer, and the peer sees the end."""
    with StdioDaemon(tmp_path) as daemon:
        daemon.peer.establish("alice")
        daemon.process.send_signal(signal.SIGTERM)
        (end,) = daemon.peer.rest()
        assert (end.type, end.header["code"]) == (Type.DISCONNECT, "shutting-down")
        daemon.peer.vanish()
        assert daemon.wait() == -signal.SIGTERM


def test_beside_others(tmp_path):
    """With other endpoints, the daemon serves those after the peer has left."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    with StdioDaemon(tmp_path, "--endpoint", endpoint) as daemon:
        daemon.peer.establish("alice")
        daemon.peer.end_input()
        assert daemon.peer.rest() == []  # the end of its output, which no other process holds open
        sent = run_command("chatd", "connect", endpoint, "--name", "bob", input="still there\n")
        assert sent.returncode == 0, sent.stderr
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == -signal.SIGTERM


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_closed(tmp_path, closed):
    """Without standard input and output, the daemon says so in one line."""
    twistd = f"{script('twistd')} -n --pidfile= --logfile={tmp_path}/log"
    completed = run_command("sh", "-c", f"exec {twistd} chatd --endpoint stdio: {closed}")
    assert completed.returncode == 1
    assert completed.stdout + completed.stderr == ""  # twistd says it in its log
    assert (
        (tmp_path / "log")
        .read_text()
        .endswith("chatd: cannot listen on stdio:: standard input or output is closed\n")
    )
