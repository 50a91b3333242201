"""The base case of tests of one chat in two daemons, whose clients are connected in memory."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.errors import SessionRefused
from chatd.server.accounts import Accounts
from chatd.storage.memory import MEMORY_RETENTION
from chatd.testing import MemoryServer
from tests.backplane.sharedmemory import SharedMemory
from tests.fakes.peers import KEY

PASSWORD = "open sesame"


class RecordingClient(ChatClient):
    """A client that keeps what it gets."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.texts: list[str | None] = []
        self.seqs: list[int | None] = []
        self.events: list[dict[str, Any]] = []

    def message_received(self, message, is_receipt):
        self.texts.append(message.text)
        self.seqs.append(message.seq)

    def event_received(self, event):
        self.events.append(event)

    def take(self, kind):
        """Return the EVENTs of a kind without that field, and forget all EVENTs."""
        events, self.events = self.events, []
        return [
            {key: value for key, value in event.items() if key != "event"}
            for event in events
            if event["event"] == kind
        ]


class DaemonsCase(SynchronousTestCase):
    """Two daemons of one chat: `one` and `two`, with the nodes `here` and `there`."""

    options: ClassVar[dict[str, Any]] = {}
    accounts: tuple[str, ...] = ()
    retention = MEMORY_RETENTION

    def setUp(self):
        self.shared = SharedMemory(self.retention)
        self.here, self.there = self.shared.node(), self.shared.node()
        self.servers = [self.serve(self.here), self.serve(self.there)]
        self.one, self.two = self.servers
        self.addCleanup(self.check_end)

    def serve(self, node):
        options = {**self.options}
        if self.accounts:
            checker = InMemoryUsernamePasswordDatabaseDontUse()
            for name in self.accounts:
                checker.addUser(name.encode(), PASSWORD.encode())
            options["accounts"] = Accounts(Clock(), [checker, AllowAnonymousAccess()])
        return MemoryServer(store=node, unix_time=lambda: self.shared.now, key=KEY, **options)

    def check_end(self):
        """Check that no error was logged."""
        self.assertEqual(self.flushLoggedErrors(), [])

    def connect(self, server, name, **options):
        if name in self.accounts:
            options.setdefault("password", PASSWORD)
        client = server.connect(name, protocol=RecordingClient, **options)
        self.pump()
        return client

    def refused(self, server, name, **options):
        """Return the code with which a daemon refuses a client."""
        return self.refusal(server, name, **options).code

    def refusal(self, server, name, **options):
        """Return the error with which a daemon refuses a client."""
        return self.assertRaises(SessionRefused, self.connect, server, name, **options)

    def pump(self):
        for _ in range(3):
            for server in self.servers:
                server.pump()

    def advance(self, seconds):
        for server in self.servers:
            server.advance(seconds)
        self.pump()

    def do(self, deferred):
        """Return the result of something that a client asks for."""
        self.pump()
        return self.successResultOf(deferred)

    def say(self, client, text, **options):
        return self.do(client.send(text, **options))

    def end_of(self, client):
        """Return the code and `retry` of the end of a client's session."""
        self.pump()
        end = self.successResultOf(client.when_ended())
        return end.code, end.retry

    def forget(self, *clients):
        self.pump()
        for client in clients:
            client.texts.clear()
            client.seqs.clear()
            client.events.clear()
