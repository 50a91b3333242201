"""Tests of the client's side of a session, with a server and a factory by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.progress import Progress
from chatd.client.session import ClientSession
from chatd.connection.client import ClientConnection
from chatd.errors import LocalProtocolError, RequestError, SessionEnded
from chatd.transport.flush import Turn
from chatd.wire.channel import ClearChannel
from chatd.wire.codec import Codec
from chatd.wire.messages import ChatHeader, Error, Message, MessageType
from tests.fakes.handserver import answer_commands, direct, said, turn, welcome
from tests.fakes.peers import Peer


class Owner:
    """The interface that a session needs of its factory, and no more."""

    key = None

    def __init__(self) -> None:
        self.clock = Clock()
        self.turn = Turn(self.clock)
        self.progress = Progress()
        self.names: list[str] = []
        self.watched: list[ClientSession] = []

    def keep_name(self, name: str) -> None:
        self.names.append(name)

    def add(self, session: ClientSession) -> None:
        self.watched.append(session)

    def remove(self, session: ClientSession) -> None:
        if session in self.watched:
            self.watched.remove(session)


class NotingSession(ClientSession):
    """Notes the calls of its hooks."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[tuple[object, ...]] = []

    def established(self) -> None:
        self.told.append(("established", self.room))

    def ended(self, reason: SessionEnded) -> None:
        self.told.append(("ended", reason.code))

    def message_received(self, message: Message, is_receipt: bool) -> None:
        self.told.append((message.text, is_receipt))

    def error_received(self, error: RequestError) -> None:
        self.told.append(("error", error.code))


class SessionTests(SynchronousTestCase):
    """A session with a server by hand."""

    def setUp(self) -> None:
        self.owner = Owner()
        self.connect()

    def connect(self) -> None:
        """Connect a session of the owner."""
        connection = ClientConnection(
            Codec(), ClearChannel(expects_server=True), self.owner.clock.seconds(), name="alice"
        )
        self.session = NotingSession(connection, self.owner)
        self.peer = Peer(self.session, Codec())

    def welcome(self, name: str = "alice") -> None:
        """Welcome the session, and forget the hooks' calls for that."""
        welcome(self.peer, name)
        answer_commands(self.peer, lambda _: {"conversations": []})
        self.session.told.clear()


class BeginningTests(SessionTests):
    """The beginning of a session."""

    def test_welcome(self) -> None:
        """A welcome makes the session active; the owner watches it until it ends."""
        self.assertEqual((self.session.is_active, self.owner.watched), (False, []))
        welcome(self.peer)
        self.assertEqual((self.session.is_active, self.owner.watched), (True, [self.session]))
        self.assertEqual(self.session.told, [("established", "lobby")])
        self.peer.transport.lose()
        self.assertEqual((self.session.is_active, self.owner.watched), (False, []))
        self.assertEqual(self.session.told[1:], [("ended", "connection-lost")])

    def test_before_the_welcome(self) -> None:
        """The client refuses requests before the welcome."""
        self.assertRaises(LocalProtocolError, self.session.command, "dance")

    def test_name(self) -> None:
        """The client keeps a name for the next connection, if there will be another."""
        self.welcome(name="guest-1")
        self.assertEqual(self.owner.names, [])
        self.peer.transport.lose()
        self.owner.progress.be_kept()
        self.connect()
        self.welcome(name="guest-2")
        self.assertEqual(self.owner.names, ["guest-2"])


class ArrivalTests(SessionTests):
    """A received frame goes to the Deferred, page or hook that waits for it."""

    def setUp(self) -> None:
        super().setUp()
        self.welcome()

    def test_news(self) -> None:
        """Another client's message is news, unless the program has it already."""
        self.peer.send(said("one", 1), said("one", 1), said("two", 2))
        self.assertEqual(self.session.told, [("one", False), ("two", False)])

    def test_page(self) -> None:
        """A message that answers a `history` is on its page, and not news."""
        reading = self.session.history("lobby")
        turn(self.peer)

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            self.peer.send(said("one", 1).with_ref(header["id"]))
            return {"epoch": "e", "count": 1, "complete": True}

        answer_commands(self.peer, answer)
        page = self.successResultOf(reading)
        self.assertEqual(page.messages, [said("one", 1)])
        self.assertEqual(self.session.told, [])

    def test_result(self) -> None:
        """A RESULT goes to the command with its id; the client ignores it without a command."""
        asked = self.session.command("add")
        turn(self.peer)
        self.peer.send(Message(MessageType.RESULT, {"id": "another", "sum": 1}))
        self.assertNoResult(asked)
        answer_commands(self.peer, lambda _: {"sum": 2})
        self.assertEqual(self.successResultOf(asked)["sum"], 2)

    def test_result_for_a_message(self) -> None:
        """A RESULT confirms no message: the client gets it as an unexpected answer."""
        sent = self.session._ask("m1", Message.chat("hello", id="m1"))
        turn(self.peer)
        self.peer.send(Message(MessageType.RESULT, {"id": "m1"}))
        error = self.failureResultOf(sent, RequestError).value
        self.assertEqual((error.code, error.ref), ("bad-request", "m1"))

    def test_message_for_a_command(self) -> None:
        """A MESSAGE answers no command, with any id and any author."""
        asked = self.session.topic("lobby")
        turn(self.peer)
        (command,) = self.peer.take()
        header = ChatHeader(id=command.header["id"], room="lobby", sender="alice", seq=1)
        self.peer.send(Message(MessageType.MESSAGE, header, b"tea"))
        self.peer.send(Message.chat("wine", id=command.header["id"]))
        self.assertNoResult(asked)
        self.peer.send(Message(MessageType.RESULT, {"id": command.header["id"], "topic": "tea"}))
        self.assertEqual(self.successResultOf(asked), "tea")

    def test_error(self) -> None:
        """An ERROR goes to the command with its id, or else to the hook."""
        asked = self.session.command("add")
        turn(self.peer)
        for ref in (None, "another"):
            self.peer.send(Message(MessageType.ERROR, Error(code="bad-day", ref=ref)))
        self.assertNoResult(asked)
        self.assertEqual(self.session.told, [("error", "bad-day")] * 2)
        answer_commands(self.peer, lambda _: "unknown-command")
        self.failureResultOf(asked, RequestError)


class BackTests(SessionTests):
    """A session that continues where another session ended."""

    def setUp(self) -> None:
        super().setUp()
        self.owner.progress.be_kept()

    def test_sent_again(self) -> None:
        """The client sends messages without a receipt when the client is in its rooms."""
        receipt = self.owner.progress.keep(Message.chat("hello", id="m1"))
        self.welcome()
        self.peer.send(said("m1", 1, sender="alice"))
        self.assertEqual(self.successResultOf(receipt).seq, 1)
        self.assertEqual(self.session.told, [("m1", True)])

    def test_cancelled_meanwhile(self) -> None:
        """If a message cannot be sent, its errback may cancel the others, which are still sent."""
        one = self.owner.progress.keep(Message.chat("one", id="i" * 300))
        two = self.owner.progress.keep(Message.chat("two", id="m2"))
        one.addErrback(lambda _: two.cancel())
        welcome(self.peer)
        (command,) = self.peer.take()
        self.assertIsInstance(command.header, dict)
        result = {"id": command.header["id"], "conversations": []}
        self.peer.send(Message(MessageType.RESULT, result))
        turn(self.peer)
        self.successResultOf(one)
        self.failureResultOf(two, CancelledError)
        self.assertEqual([message.text for message in self.peer.take()], ["two"])

    def test_gap(self) -> None:
        """The client fetches missing direct messages before it delivers an early message."""
        self.welcome()
        self.peer.send(direct("one", 1), direct("three", 3))
        turn(self.peer)

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            self.assertEqual((header["with"], header["after"]), ("bob", 1))
            for text, seq in (("two", 2), ("three", 3)):
                self.peer.send(direct(text, seq).with_ref(header["id"]))
            return {"epoch": "e", "count": 2, "complete": True, "recovered": True}

        answer_commands(self.peer, answer)
        self.assertEqual([text for text, _ in self.session.told], ["one", "two", "three"])
