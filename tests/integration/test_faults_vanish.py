"""Clients vanish while the server answers: no state of them remains, and no call fails."""

import os
import re
import socket
import struct
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater

import chatd
from chatd import ChatClientFactory
from chatd.client.endpoints import client_endpoint
from chatd.server.accounts import Accounts
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.testing import running_server
from tests.fakes.passwords import SlowChecker
from tests.fakes.peers import GatedStore
from tests.integration.daemons import tcp_port
from tests.integration.processes import daemon
from tests.integration.sessions import (
    KEY,
    WatchedFactory,
    connect,
    leave,
    settle,
    with_and_without_key,
)

MIB = 1024 * 1024
LARGE = 6 * MIB
MUCH = Retention(max_bytes=100 * MIB)
RESET = struct.pack("ii", 1, 0)
"""Makes `close` reset a TCP connection (socket(7), SO_LINGER)."""


async def until(condition):
    """Let reactor turns pass until a condition holds."""
    while not condition():
        await deferLater(reactor, 0)


@asynccontextmanager
async def serve(key=None, **options):
    """Run a server over TCP, and check that it leaves no objects behind."""
    factory = WatchedFactory(reactor, key=key, **options)
    async with running_server(reactor, factory) as server:
        yield server
        await until(lambda: not factory.engine.connections)
        assert not factory.sessions
        assert not factory.hub.roster.rooms
        assert not factory.hub.roster.here
        assert not factory.hub.roster._coming
        assert factory.hub.commits.is_idle
        assert len(factory.engine.registry._wheel) == 0
        assert not factory.engine.registry._wheel.is_running
        again = await connect(server, "alice", key=key, password="secret")
        assert again.name == "alice"
        await leave(again)


async def vanish(server, client):
    """Reset a client's connection, and wait until the server has noticed."""
    session = server.factory.sessions.get(client.session_id)
    client.transport.abortConnection()
    await client.when_ended()
    if session is not None:
        assert (await session.end_reason).code == "connection-lost"


def is_stalled(server, client):
    """Return whether a server holds data back for a client that does not read."""
    return len(server.factory.sessions[client.session_id].protocol._outbuffer) > 0


@with_and_without_key
async def test_during_a_history(key):
    """While several MiB of a history are on their way."""
    async with serve(key, store=MemoryStore(MUCH)) as server:
        alice, bob = [await connect(server, name, key=key) for name in ("alice", "bob")]
        for _ in range(3):
            await bob.send(bytes(LARGE))
        alice.stream.pauseProducing()
        asked = [alice.history("lobby", limit=1, before=number) for number in (4, 3, 2)]
        await until(lambda: is_stalled(server, alice))
        await vanish(server, alice)
        await settle(asked)
        await leave(bob)


@with_and_without_key
async def test_during_a_join(key):
    """While it gets its missed messages of a room, page by page."""
    async with serve(key, store=MemoryStore(MUCH)) as server:
        bob = await connect(server, "bob", key=key, rooms=["cellar"])
        for _ in range(4):
            await bob.send(bytes(LARGE))
        alice = await connect(server, "alice", key=key)
        alice.stream.pauseProducing()
        joining = alice.join("cellar", after=0)
        await until(lambda: is_stalled(server, alice))
        assert server.factory.hub.roster.rooms["cellar"].holds == 1
        await vanish(server, alice)
        await settle([joining])
        await until(lambda: server.factory.hub.roster.rooms["cellar"].holds == 0)
        assert await bob.who("cellar") == ["bob"]
        await leave(bob)


@with_and_without_key
async def test_during_a_transaction(key):
    """If a client vanishes while its message is stored, the others get it, once."""
    store = GatedStore()
    async with serve(key, store=store) as server:
        alice, bob = [await connect(server, name, key=key) for name in ("alice", "bob")]
        said = alice.send("last words", id="1")
        await until(lambda: store.is_asked)
        await vanish(server, alice)
        await settle([said])
        store.answer()
        assert (await bob.__anext__()).text == "last words"

        alice = await connect(server, "alice", key=key)
        said = alice.send("last words", id="1")
        await until(lambda: store.is_asked)
        store.answer()
        assert (await said).seq == 1
        await leave(alice, bob)


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
async def test_during_its_admission(is_right):
    """While its password is checked, with any result."""
    checker = SlowChecker()
    accounts = Accounts(reactor, [checker])
    async with serve(KEY, accounts=accounts) as server:
        clients = ChatClientFactory(reactor, key=KEY, name="alice", password="secret")
        client = await client_endpoint(reactor, server.endpoint).connect(clients)
        await until(lambda: checker.asked)
        await vanish(server, client)
        if is_right:
            checker.answer(b"alice")
        else:
            checker.refuse()
        checker.known = b"alice"


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
async def test_while_it_waits_for_its_check(is_reset):
    """While others' passwords are checked: its own is not, its end unread."""
    checker = SlowChecker()
    accounts = Accounts(reactor, [checker], max_checks=1)
    async with serve(KEY, accounts=accounts) as server:
        clients: list[Any] = []
        for name in ("alice", "mallory", "bob"):
            factory = ChatClientFactory(reactor, key=KEY, name=name, password="secret")
            clients.append(await client_endpoint(reactor, server.endpoint).connect(factory))
            await until(lambda: len(checker.asked) + len(accounts._line) == len(clients))
        alice, mallory, bob = clients
        gone = mallory.when_ended()
        if is_reset:
            mallory.transport.abortConnection()
        else:
            mallory.transport.write(bytes(1000))  # the server does not read this either
            mallory.transport.loseConnection()
        await gone
        checker.answer(b"alice")
        await until(lambda: len(checker.asked) == 2)
        checker.answer(b"bob")
        await bob.when_established()
        await until(lambda: len(server.factory.engine.connections) == 2)
        await leave(alice, bob)
        checker.known = b"alice"


class Stranger(Protocol):
    """Resets its connection at a given frame."""

    def connectionMade(self):
        self.is_gone: Deferred[Any] = Deferred()

    def dataReceived(self, data):
        self.transport.write(self.factory.answer)
        self.transport.abortConnection()

    def connectionLost(self, reason=connectionDone):
        self.is_gone.callback(None)


@with_and_without_key
@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x00\x30" + bytes(20)], ids=len)
async def test_after_the_greeting(key, answer):
    """After the greeting: before its answer, and in the middle of the answer."""
    async with serve(key) as server:
        factory: Any = Factory.forProtocol(Stranger)
        factory.noisy = False
        factory.answer = answer
        for _ in range(5):
            stranger: Any = await client_endpoint(reactor, server.endpoint).connect(factory)
            await stranger.is_gone


async def test_daemon(tmp_path):
    """A daemon's vanished clients leave no descriptor and no failure in the log."""
    options = ("--data", tmp_path / "data", "--heartbeat", "60")
    program = ("twistd", "-n", f"--pidfile={tmp_path}/pid")
    endpoint = "tcp:0:interface=127.0.0.1"
    with daemon(*options, endpoint=endpoint, program=program) as process:
        pid = int((tmp_path / "pid").read_text())
        port = tcp_port(process)
        witness = await chatd.connect(reactor, f"tcp:127.0.0.1:{port}", name="witness")
        await witness.send(bytes(LARGE))
        before = count_descriptors(pid)
        for number in range(20):
            client = await chatd.connect(reactor, f"tcp:127.0.0.1:{port}", name=f"c{number}")
            client.stream.pauseProducing()
            asked: list[Deferred[Any]] = [
                client.history("lobby", limit=1),
                client.send("bye"),
            ]
            reset_on_greeting(port)
            await deferLater(reactor, 0)
            client.transport.abortConnection()
            await client.when_ended()
            await settle(asked)
        await until(lambda: count_descriptors(pid) <= before)
        assert await witness.who("lobby") == ["witness"]
        await leave(witness)
    assert not re.search("Traceback|#critical|#error", process.output.text + process.errors.text)


def count_descriptors(pid):
    """Return the number of open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def reset_on_greeting(port):
    """Connect, wait for the greeting, and reset the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stranger:
        assert stranger.recv(1)
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
