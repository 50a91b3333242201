"""A daemon whose wall clock jumps during a conversation."""

import mmap
import signal
import struct
import sys
import time
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

import chatd
from chatd import ChatClient, SessionRefused
from tests.integration.processes import daemon
from tests.integration.sessions import leave

HOUR_S = 3_600.0
YEAR_S = 365 * 24 * HOUR_S
HEARTBEAT_S = 0.1
PINGS = 8
"""More than the number of intervals after which a silent session ends."""
SHIFT = struct.Struct("d")
TWISTD = """
import mmap, struct, sys, time

with open(sys.argv.pop(1), "r+b") as file:
    shift = mmap.mmap(file.fileno(), 8)
unshifted = time.time
time.time = lambda: unshifted() + struct.unpack("d", shift)[0]

from twisted.scripts.twistd import run
run()
"""
"""``twistd`` with a wall clock that a file shifts."""


class Shifted:
    """A daemon whose wall clock can be set.

    Attributes:
        endpoint: The daemon's endpoint string.
        process: The daemon's process.
    """

    def __init__(self, directory):
        self.endpoint = f"unix:{directory}/chat.sock"
        self.process = None
        path = directory / "shift"
        path.write_bytes(SHIFT.pack(0.0))
        with path.open("r+b") as file:
            self._shift = mmap.mmap(file.fileno(), SHIFT.size)
        self._program = (sys.executable, "-c", TWISTD, path, "-n", "--pidfile=")

    @contextmanager
    def running(self, *options):
        """Run the daemon within a context."""
        options = ("--heartbeat", str(HEARTBEAT_S), *options)
        with daemon(*options, endpoint=self.endpoint, program=self._program) as self.process:
            yield
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            written = self.process.output.text + self.process.errors.text
            assert "Traceback" not in written

    def jump(self, seconds):
        """Set the clock forward, or back."""
        (shift,) = SHIFT.unpack(self._shift[:])
        self._shift[:] = SHIFT.pack(shift + seconds)

    async def connect(self, name, **options):
        """Connect a client."""
        return await chatd.connect(reactor, self.endpoint, name=name, **options)


@pytest.fixture
def shifted(tmp_path):
    """Return a daemon that does not run yet."""
    return Shifted(tmp_path)


class Listener(ChatClient):
    """A client that can wait for further data."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._left = 0
        self._enough: Deferred[Any] = Deferred()

    def dataReceived(self, data):
        super().dataReceived(data)
        self._left -= 1
        if not self._left:
            self._enough.callback(None)

    async def hear(self, number):
        """Wait for a number of further arrivals, and fail if the session ends."""
        self._left, self._enough = number, Deferred()
        _, index = await DeferredList([self._enough, self.when_ended()], fireOnOneCallback=True)
        assert index == 0, f"the session has ended: {self.connection.end_reason!r}"


async def test_forward(shifted):
    """A year forward: sessions, heartbeats and the places of messages go on."""
    with shifted.running():
        alice = await shifted.connect("alice", protocol=Listener)
        bob = await shifted.connect("bob")
        before = await alice.send("before")
        shifted.jump(YEAR_S)
        await alice.hear(PINGS)
        after = await alice.send("after")

        assert (before.seq, after.seq) == (1, 2)
        assert after.time - before.time > YEAR_S - HOUR_S
        assert [(await bob.__anext__()).text for _ in range(2)] == ["before", "after"]
        await leave(alice, bob, await shifted.connect("carol"))


async def test_back(shifted):
    """An hour back: sessions and heartbeats go on, and new clients are accepted."""
    with shifted.running():
        alice = await shifted.connect("alice", protocol=Listener)
        await alice.hear(1)
        shifted.jump(-HOUR_S)
        await alice.hear(PINGS)
        bob = await shifted.connect("bob", protocol=Listener)
        await bob.hear(PINGS)
        assert (await alice.send("after")).seq == 1
        await leave(alice, bob)


async def test_kept(shifted, tmp_path):
    """An hour back and forward again: no message is lost, before or after a restart."""
    options = ("--data", tmp_path / "data", "--keep-days", "1")
    with shifted.running(*options):
        alice = await shifted.connect("alice")
        said = [await alice.send("one")]
        shifted.jump(-HOUR_S)
        said.append(await alice.send("two"))
        await leave(alice)
    with shifted.running(*options):
        shifted.jump(HOUR_S)
        alice = await shifted.connect("alice")
        said.append(await alice.send("three"))
        history = await alice.history("lobby", after=0)
        await leave(alice)
    assert history.messages == said
    assert [message.seq for message in said] == [1, 2, 3]
    assert said[1].time < said[0].time


async def test_ban(shifted):
    """A ban ends at its time, in any steps of the clock."""
    with shifted.running("--operator", "alice"):
        alice = await shifted.connect("alice")
        await alice.ban("mallory", until=time.time() + HOUR_S)
        with pytest.raises(SessionRefused, match="banned"):
            await shifted.connect("mallory")
        shifted.jump(2 * HOUR_S)
        mallory = await shifted.connect("mallory")
        await leave(alice, mallory)
