"""Tests of what a client lets a server tell: names, texts and numbers have bounds."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.client.fields import check_event
from chatd.errors import RequestError
from chatd.wire.messages import ChatHeader, Message, MessageType
from tests.fakes.handserver import answer_commands, hand_peer, said, turn, welcome

MAX_SEQ = 2**53 - 1
LONG = "x" * 97  # longer than any name, folded or not


class EventTests(SynchronousTestCase):
    """The fields of events."""

    def assert_malformed(self, event: dict[str, Any]) -> None:
        with self.assertRaises(RequestError) as caught:
            check_event(event)
        self.assertEqual(caught.exception.code, "bad-request")
        self.assertRegex(caught.exception.message, "the server's event is malformed")

    def test_bounds(self) -> None:
        """A text is refused from the first character on that is too much."""
        for event, field, most in (
            ("joined", "room", 64),
            ("joined", "name", 96),
            ("left", "name", 96),
            ("left", "by", 96),
            ("left", "reason", 256),
            ("room-changed", "room", 64),
            ("renamed", "old_name", 96),
            ("topic", "topic", 256),
            ("away", "text", 256),
            ("absent", "ref", 64),
        ):
            check_event({"event": event, field: "\u00eb" * most})
            self.assert_malformed({"event": event, field: "\u00eb" * (most + 1)})

    def test_types(self) -> None:
        """A field that is there is a text."""
        for event in ("joined", "left", "renamed", "topic", "removed", "invited", "absent", "away"):
            check_event({"event": event})
            values: tuple[object, ...] = (None, 5, ["bob"], {})
            for value in values:
                self.assert_malformed({"event": event, "name": value})

    def test_privacy(self) -> None:
        """Whether a room is private is a boolean."""
        check_event({"event": "room-changed", "room": "lobby", "private": False})
        self.assert_malformed({"event": "room-changed", "room": "lobby", "private": 1})

    def test_others(self) -> None:
        """Events of a service's own, and fields of its own, may be anything."""
        check_event({"event": "dance", "name": 5, "room": LONG})
        check_event({"event": "joined", "room": "lobby", "name": "bob", "steps": [LONG]})


class LyingServerTests(SynchronousTestCase):
    """A server that tells names and numbers that no chatd server tells."""

    def setUp(self) -> None:
        self.heard: list[str] = []
        self.peer, self.client = hand_peer(self, self.heard)
        self.events: list[Any] = []
        self.patch(self.client, "event_received", self.events.append)
        self.peer.take()

    def codes(self) -> list[str]:
        """Return the codes of the errors that the client has sent."""
        turn(self.peer)
        headers: list[Any] = [each.header for each in self.peer.take()]
        return [header.code for header in headers]

    def test_event(self) -> None:
        """A malformed event is answered with an error, and the program does not get it."""
        for name in (LONG, "bob"):
            header = {"event": "joined", "room": "lobby", "name": name}
            self.peer.send(Message(MessageType.EVENT, header))
        self.assertEqual([event["name"] for event in self.events], ["bob"])
        self.assertEqual(self.codes(), ["bad-request"])

    def test_message(self) -> None:
        """So is a message with an impossible place or sender; a good one is taken."""
        for seq in (2**70, MAX_SEQ + 1, -1):
            self.peer.send(said("a lie", seq))
        long = ChatHeader(id="m", room="lobby", sender=LONG, seq=1)
        self.peer.send(Message(MessageType.MESSAGE, long, b"a lie"))
        self.peer.send(said("the last", MAX_SEQ))
        self.assertEqual(self.heard, ["the last"])
        self.assertEqual(self.codes(), ["bad-request"] * 4)
        self.assertTrue(self.client.is_active)

    def test_results(self) -> None:
        """An answer with an impossible name or number fails the command."""
        here = {"room": "r", "epoch": "e", "seq": 1}
        asked: list[tuple[Deferred[Any], dict[str, Any]]] = [
            (self.client.join("r"), {**here, "seq": 2**70}),
            (self.client.join("r"), {**here, "members": -1}),
            (self.client.join("r"), {**here, "topic": "x" * 257}),
            (self.client.topic("r"), {"topic": "x" * 257}),
            (self.client.away("out"), {"text": 5}),
            (self.client.who("r"), {"names": [LONG]}),
            (self.client.people("r"), {"names": ["bob"], "away": {"bob": "x" * 257}}),
            (self.client.list_rooms(), {"rooms": [{"room": "x" * 65}]}),
            (self.client.conversations(), {"conversations": [{**here, "with": LONG}]}),
            (self.client.kick("bob"), {"kicked": 2**70}),
            (self.client.invited("r"), {"names": [LONG]}),
            (self.client.rename("bob"), {"name": LONG}),
        ]
        turn(self.peer)
        answers = iter([answer for _, answer in asked])
        answer_commands(self.peer, lambda _: next(answers))
        for failed, answer in asked:
            error = self.failureResultOf(failed, RequestError).value
            self.assertEqual(error.code, "bad-request", answer)

    def test_welcome(self) -> None:
        """A welcome with an impossible place counts as a welcome without one."""
        factory: ChatClientFactory[ChatClient] = self.client.factory
        client = factory.buildProtocol(None)
        peer = type(self.peer)(client, self.peer.codec)
        self.addCleanup(peer.transport.lose)
        factory.progress.rooms.clear()
        told = [{"room": "a", "epoch": "e", "seq": 2**70}, {"room": "b", "epoch": "e", "seq": 7}]
        welcome(peer, rooms=told)
        places = {key: room.seq for key, room in factory.progress.rooms.items()}
        self.assertEqual(places, {"a": None, "b": 7})
