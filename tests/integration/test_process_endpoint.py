"""A client of a daemon in its own process, over the daemon's standard streams."""

import os
import sys
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import ProcessEndpoint
from twisted.internet.error import ProcessExitedAlready

import chatd

DAEMON = [sys.executable, "-m", "twisted", "--log-file", os.devnull, "chatd", "-e", "stdio:"]


class Spawning:
    """A reactor that starts processes, and keeps them.

    Attributes:
        processes: Each process, with a Deferred that fires when it has ended.
    """

    def __init__(self):
        self.processes = []

    def spawnProcess(self, protocol, *arguments):
        ended: Deferred[Any] = Deferred()
        process_ended = protocol.processEnded

        def tell(reason):
            process_ended(reason)
            ended.callback(None)

        protocol.processEnded = tell
        process = reactor.spawnProcess(protocol, *arguments)
        self.processes.append((process, ended))
        return process

    async def end_all(self):
        """End every process that still runs, and wait for that."""
        for process, ended in self.processes:
            with suppress(ProcessExitedAlready):
                process.signalProcess("KILL")
            await ended


@asynccontextmanager
async def daemon(*options):
    """Return an endpoint that starts a daemon for each connection; the context ends all."""
    spawning = Spawning()
    command = [*DAEMON, *map(str, options)]
    try:
        yield ProcessEndpoint(spawning, sys.executable, command, env=None)
    finally:
        await spawning.end_all()


@pytest.fixture(params=[False, True], ids=["clear", "key"])
def key_file(request, tmp_path):
    """Return the path of a key file, or None."""
    if not request.param:
        return None
    chatd.write_key_file(tmp_path / "key")
    return tmp_path / "key"


async def test_connect(key_file):
    """A session over the pipes of a process is like any other, with and without a key."""
    options, key = ([], None) if key_file is None else (["-k", key_file], chatd.load_key(key_file))
    async with daemon(*options) as there:
        client = await chatd.connect(reactor, there, key=key, name="alice")
        receipt = await client.send("hello")
        assert (receipt.sender, receipt.text, receipt.room) == ("alice", "hello", "lobby")
        assert await client.ping() > 0
        ended = client.disconnect()
        client.transport.signalProcess("TERM")
        assert (await ended).is_clean


async def test_service():
    """A service starts a new process when the last has ended."""
    async with daemon() as there:
        clients = chatd.ChatClientFactory(reactor, name="alice")
        service = chatd.ChatClientService(reactor, there, clients, lambda attempt: 0.01)
        service.startService()
        first = await service.whenConnected()
        first.transport.signalProcess("KILL")
        assert (await first.when_ended()).code == "connection-lost"
        second = await service.whenConnected()
        assert (await second.send("hello")).text == "hello"
        stopping = service.stopService()
        second.transport.signalProcess("TERM")
        await stopping


async def test_client_that_cannot_begin(logged_failures):
    """A client that fails at its connection fails the attempt, not the process."""

    class Broken(chatd.ChatClient):
        def connectionMade(self):
            raise KeyError("no")

    async with daemon() as there:
        with pytest.raises(chatd.SessionEnded, match="internal-error: the client failed"):
            await chatd.connect(reactor, there, protocol=Broken)
    assert [failure.type for failure in logged_failures] == [KeyError]
    logged_failures.clear()


async def test_process_that_ends_at_once():
    """A process that ends without output is a lost connection."""
    there = ProcessEndpoint(reactor, sys.executable, [sys.executable, "-c", ""], env=None)
    with pytest.raises(chatd.SessionEnded, match="connection-lost"):
        await chatd.connect(reactor, there)
