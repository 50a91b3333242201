"""Tests of the in-memory server that users test with."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.errors import LocalProtocolError, SessionRefused
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer, running_server
from chatd.wire.messages import Message
from tests.chat.slowstore import SlowStore
from tests.fakes.peers import KEY, OTHER_KEY


class EchoFactory(ChatFactory):
    """A factory that answers each message with its content."""

    def message_received(self, session: Session, message: Message) -> None:
        session.reply(message, message.content)


class MemoryServerTests(SynchronousTestCase):
    """A server without a network."""

    def test_as_it_is_shown(self) -> None:
        """The example in the module's docstring works."""
        server = MemoryServer(EchoFactory)
        client = server.connect("alice")
        receipt = client.send("hello")
        server.pump()
        self.assertEqual(self.successResultOf(receipt).text, "hello")

    def test_connect(self) -> None:
        """A returned client is active, with its name."""
        server = MemoryServer()
        alice = server.connect("alice")
        guest = server.connect()
        self.assertTrue(alice.is_active and guest.is_active)
        self.assertEqual(alice.name, "alice")
        self.assertRegex(guest.name, "^guest-")
        self.assertEqual(len(server.factory.sessions), 2)

    def test_refused_client(self) -> None:
        """The refusal of a client is raised, as by `chatd.connect`."""
        server = MemoryServer()
        server.connect("alice")
        refused = self.assertRaises(SessionRefused, server.connect, "alice")
        self.assertEqual(refused.code, "name-taken")

    def test_ended_by_its_hook(self) -> None:
        """`connect` returns a client whose session ends at once: the server did not refuse it."""

        class LeavingClient(ChatClient):
            def established(self) -> None:
                self.disconnect()

        client = MemoryServer().connect("alice", protocol=LeavingClient)
        self.assertEqual(self.successResultOf(client.when_ended()).code, "goodbye")

    def test_slow_server(self) -> None:
        """`connect` returns a client without an answer so far; the test may wait for it."""
        store = SlowStore(unix_time=lambda: 0.0)
        store.is_slow = True
        server = MemoryServer(store=store)
        client = server.connect("alice")
        waiting = client.when_established()
        self.assertNoResult(waiting)
        store.is_slow = False
        while store.owes_answers:
            store.answer_next()
        server.pump()
        self.assertIs(self.successResultOf(waiting), client)

    def test_key(self) -> None:
        """A client has the server's key, unless the test gives another key or None."""
        server = MemoryServer(key=KEY)
        self.assertTrue(server.connect().is_active)
        for key, code in ((OTHER_KEY, "wrong-key"), (None, "key-required")):
            with self.assertRaises(SessionRefused) as refused:
                server.connect(key=key)
            self.assertEqual(refused.exception.code, code)
        path: Any = "team.key"
        error = self.assertRaises(TypeError, server.connect, key=path)
        self.assertIn("the key must be 32 bytes", str(error))

    def test_options(self) -> None:
        """Options go to the server's factory; the options of `connect` go to the client."""

        class MyClient(ChatClient):
            pass

        server = MemoryServer(EchoFactory, max_content=1234, name="echo")
        client = server.connect("alice", protocol=MyClient)
        self.assertIsInstance(server.factory, EchoFactory)
        self.assertIsInstance(client, MyClient)
        self.assertEqual(client.max_content, 1234)

    def test_session_of(self) -> None:
        """The server's session of a client is available."""
        server = MemoryServer()
        alice, bob = server.connect("alice"), server.connect("bob")
        self.assertEqual(server.session_of(alice).name, "alice")
        self.assertEqual(server.session_of(bob).id, bob.session_id)

    def test_session_of_a_stranger(self) -> None:
        """A client whose session has ended has none on the server, and the error says so."""
        server = MemoryServer()
        gone = server.connect("alice")
        gone.disconnect()
        server.pump()
        error = self.assertRaises(LocalProtocolError, server.session_of, gone)
        self.assertIn("no session", str(error))

    def test_own_classes(self) -> None:
        """Clients, factories and sessions have the classes that the test gives, also for mypy."""

        class Visitor(Session):
            warnings = 0

        class WarningFactory(ChatFactory[Visitor]):
            greeting = "hello"

            async def message_received(self, session: Visitor, message: Message) -> None:
                session.warnings += 1
                await super().message_received(session, message)

            async def command_received(self, session: Visitor, command: Message) -> None:
                if command.command == "warnings":
                    session.send_result(command, warnings=session.warnings, **command.fields)
                else:
                    await super().command_received(session, command)

        class Caller(ChatClient):
            calls = 0

        server = MemoryServer(WarningFactory)
        caller = server.connect("alice", protocol=Caller)
        sent = caller.send("hello")
        asked = caller.command("warnings", since=3)
        known = caller.who("lobby")
        server.pump()
        self.assertEqual(self.successResultOf(sent).text, "hello")
        result = self.successResultOf(asked)
        self.assertEqual((result["warnings"], result["since"]), (1, 3))
        self.assertEqual(self.successResultOf(known), ["alice"])
        # A type checker knows each of these attributes.
        found = (server.factory.greeting, server.session_of(caller).warnings, caller.calls)
        self.assertEqual(found, ("hello", 1, 0))

    def test_a_heartbeat(self) -> None:
        """A test sees each heartbeat."""
        server = MemoryServer(heartbeat_s=5.0)
        client = server.connect("alice")
        self.assertEqual(client.heartbeats, 0)
        server.advance(5)
        self.assertEqual(client.heartbeats, 1)
        server.advance(10)
        self.assertEqual(client.heartbeats, 3)

    def test_nothing_moves_by_itself(self) -> None:
        """Sent frames arrive in `pump`, and not before."""
        server = MemoryServer()
        alice, bob = server.connect("alice"), server.connect("bob")
        listening = Deferred.fromCoroutine(bob.__anext__())
        alice.send("hello")
        self.assertNoResult(listening)
        server.pump()
        self.assertEqual(self.successResultOf(listening).text, "hello")

    def test_time(self) -> None:
        """Time stands still until it is advanced, and messages have this time."""
        server = MemoryServer()
        alice = server.connect("alice")
        times = []
        for _ in range(2):
            receipt = alice.send("hello")
            server.pump()
            times.append(self.successResultOf(receipt).time)
            server.advance(3.25)
        self.assertEqual(times[0], 0)
        self.assertAlmostEqual(times[1], 3.25)
        self.assertAlmostEqual(server.clock.seconds(), 6.5)

    def test_advance_in_steps(self) -> None:
        """Time advances in steps, and the effects of each step are pumped."""
        server = MemoryServer()
        alice = server.connect("alice")
        seen: list[float] = []
        for when in (0.5, 1.0, 1.5):
            server.clock.callLater(when, lambda: seen.append(server.clock.seconds()))
        server.advance(2, step_s=0.5)
        self.assertEqual(seen, [0.5, 1.0, 1.5])
        server.advance(60)
        self.assertTrue(alice.is_active)

    def test_advance_by_nothing(self) -> None:
        """Steps of no length, and times that go back, are refused."""
        server = MemoryServer()
        for seconds, step_s in ((1, 0), (1, -1), (-1, 1), (float("nan"), 1)):
            with self.assertRaises(ValueError):
                server.advance(seconds, step_s)
        server.advance(0)
        self.assertEqual(server.clock.seconds(), 0)

    def test_kind_of_sockets(self) -> None:
        """`running_server` names the kinds of sockets that there are."""
        kind: Any = "tpc"
        running = running_server(Clock(), ChatFactory(Clock()), kind)
        entering = Deferred.fromCoroutine(running.__aenter__())
        error = self.failureResultOf(entering, ValueError).value
        self.assertEqual(str(error), "sockets must be tcp or unix, not 'tpc'")

    def test_end_of_a_client(self) -> None:
        """A client that leaves has left after `pump`."""
        server = MemoryServer()
        alice = server.connect("alice")
        ended = alice.disconnect()
        server.pump()
        self.assertTrue(self.successResultOf(ended).is_clean)
        self.assertEqual((server.factory.sessions, server.clock.getDelayedCalls()), ({}, []))
        self.assertTrue(server.connect("alice").is_active)

    def test_shutting_down(self) -> None:
        """No client can connect to a server that is shutting down, and the error says so."""
        server = MemoryServer()
        self.successResultOf(server.factory.shut_down())
        error = self.assertRaises(SessionRefused, server.connect, "alice")
        self.assertEqual(error.code, "shutting-down")
