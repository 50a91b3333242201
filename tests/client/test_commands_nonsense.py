"""Tests of a client's commands, against a server with malformed answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import commands
from chatd.client.commands import ClientCommands
from chatd.client.progress import Progress
from chatd.client.results import Conversation, Joined, PersonInfo
from chatd.errors import RequestError, SessionEnded
from tests.fakes.handserver import answer_commands, direct, hand_peer, turn

GOOD_ROOM = {"room": "r", "epoch": "e", "seq": 1}
LONG = "x" * 65
LONG_EPOCH = {"epoch": LONG}
OTHER_ROOM = {**GOOD_ROOM, "room": "other"}
JOINED = Joined(room="r", epoch="e", seq=1)
COMMANDS = {"people": "who"}
"""The command of each method that has another name."""
NONSENSE: dict[str, tuple[Callable[[ClientCommands], Deferred[Any]], Iterable[dict[str, Any]]]] = {
    "join": (
        lambda client: client.join("r"),
        (
            *({}, {"room": "r"}, {**GOOD_ROOM, "seq": "1"}, {**GOOD_ROOM, "room": 5}, OTHER_ROOM),
            {**GOOD_ROOM, "epoch": LONG},
        ),
    ),
    "who": (
        lambda client: client.who("r"),
        ({}, {"names": None}, {"names": "alice"}, {"names": [1]}, {"names": ["a"], "next": 5}),
    ),
    "people": (
        lambda client: client.people("r"),
        ({}, {"names": "a"}, {"names": ["a"], "away": ["a"]}, {"names": ["a"], "away": {"a": 5}}),
    ),
    "rooms": (lambda client: client.list_rooms(), ({}, {"rooms": ["r"]}, {"rooms": [{}]})),
    "conversations": (
        lambda client: client.conversations(),
        (
            {},
            *(
                {"conversations": [{"with": "bob", "seq": 1, **epoch}]}
                for epoch in ({}, LONG_EPOCH)
            ),
        ),
    ),
    "bans": (
        lambda client: client.bans(),
        ({"bans": [{"name": 5}]}, {"bans": [{"address": LONG}]}),
    ),
    "history": (
        lambda client: client.history("r"),
        (
            {"count": "many"},
            {"count": None},
            {"count": -1},
            {"epoch": 5},
            LONG_EPOCH,
            {"complete": 1},
        ),
    ),
    "name": (lambda client: client.rename("alicia"), ({}, {"name": 5})),
    "kick": (lambda client: client.kick("bob"), ({}, {"kicked": "many"}, {"kicked": None})),
    "ban": (lambda client: client.ban("bob"), ({}, {"kicked": 1.5})),
}


class NonsenseTests(SynchronousTestCase):
    """A server by hand, with malformed answers."""

    def setUp(self) -> None:
        self.heard: list[str] = []
        self.peer, self.client = hand_peer(self, self.heard)

    def answer(self, asked: Deferred[Any], *answers: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer commands, repeating the last answer; return the commands."""
        left = list(answers)
        turn(self.peer)
        return answer_commands(self.peer, lambda _: left.pop(0) if len(left) > 1 else left[0])

    def test_any(self) -> None:
        """Each malformed answer fails with `bad-request`, and the session goes on."""
        for method, (ask, answers) in NONSENSE.items():
            command = COMMANDS.get(method, method)
            for answer in answers:
                asked = ask(self.client)
                (header,) = self.answer(asked, answer)
                self.assertEqual(header["command"], command)
                error = self.failureResultOf(asked, RequestError).value
                self.assertEqual(error.code, "bad-request", (command, answer))
                self.assertIn("the server's answer is malformed", error.message)
        self.assertEqual((self.client.is_active, self.client.name), (True, "alice"))

    def test_list_that_is_too_long(self) -> None:
        """A list without an end fails, before it fills the memory."""
        self.patch(commands, "MAX_LISTED", 3)
        asked = self.client.who("r")
        pages: list[dict[str, Any]] = [
            {"names": ["a", "b"], "next": "b"},
            {"names": ["c", "d"], "next": "d"},
        ]
        self.answer(asked, *pages)
        error = self.failureResultOf(asked, RequestError).value
        self.assertIn("too long", error.message)

    def test_list_of_empty_pages(self) -> None:
        """A list whose pages have no items ends too."""
        self.patch(commands, "MAX_LISTED", 3)
        asked = self.client.who("r")
        self.answer(asked, *({"names": [], "next": each} for each in "abcd"))
        error = self.failureResultOf(asked, RequestError).value
        self.assertIn("too long", error.message)

    def test_list_without_an_end(self) -> None:
        """A list that does not advance fails."""
        for again in ("b", "a", ""):
            asked = self.client.who("r")
            pages: list[dict[str, Any]] = [
                {"names": ["a"], "next": "b"},
                {"names": ["b"], "next": again},
            ]
            headers = self.answer(asked, *pages)
            self.assertEqual([header.get("after") for header in headers], [None, "b"])
            error = self.failureResultOf(asked, RequestError).value
            self.assertIn("does not advance", error.message)

    def test_more_than_was_told(self) -> None:
        """An answer with a wrong count of messages fails, and so do foreign messages."""
        for count, has_ref in ((7, True), (1, False)):
            asked = self.client.history("r")
            turn(self.peer)

            def answer(header: dict[str, Any], count=count, has_ref=has_ref) -> dict[str, Any]:
                self.peer.send(direct("one").with_ref(header["id"] if has_ref else "another"))
                return {"epoch": "e", "count": count, "complete": True}

            answer_commands(self.peer, answer)
            error = self.failureResultOf(asked, RequestError).value
            self.assertIn("its count of messages is wrong", error.message)
        self.assertEqual(self.heard, ["one"])  # a message that answers nothing is news

    def test_more_than_was_asked_for(self) -> None:
        """The client leaves a server that sends more than a page, at the first extra message."""
        asked = self.client.history("r", limit=2)
        turn(self.peer)
        (command,) = self.peer.take()
        for seq in (1, 2):
            self.peer.send(direct("more", seq).with_ref(command.header["id"]))
        self.assertTrue(self.client.is_active)
        self.peer.send(direct("more", 3).with_ref(command.header["id"]))
        turn(self.peer)
        error = self.failureResultOf(asked, SessionEnded).value
        self.assertEqual((error.code, error.retry), ("slow-consumer", True))

    def test_cancelled(self) -> None:
        """The client drops messages that answer a cancelled history: they are not news."""
        asked = self.client.history("r")
        turn(self.peer)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            self.peer.send(direct("one").with_ref(header["id"]))
            return {"epoch": "e", "count": 1, "complete": True}

        answer_commands(self.peer, answer)
        self.assertEqual((self.heard, len(self.client._pages)), ([], 0))

    def test_what_is_not_known(self) -> None:
        """Unknown fields, and missing optional fields, do no harm."""
        asked = self.client.join("r")
        self.answer(asked, {**GOOD_ROOM, "colour": "red"})
        self.assertEqual(self.successResultOf(asked), JOINED)
        conversations = self.client.conversations()
        item = {"with": "bob", "epoch": "e", "seq": 1, "colour": "red"}
        self.answer(conversations, {"conversations": [item]})
        self.assertEqual(
            self.successResultOf(conversations), [Conversation(other="bob", epoch="e", seq=1)]
        )

    def test_nobody_away(self) -> None:
        """A list of an old server has no away people, nor has a null."""
        for answer in ({"names": ["a"]}, {"names": ["a"], "away": None}):
            asked = self.client.people("r")
            self.answer(asked, answer)
            self.assertEqual(self.successResultOf(asked), [PersonInfo(name="a")])

    def test_lost_between_pages(self) -> None:
        """A list that the session's end interrupts fails with that end."""
        asked = self.client.list_rooms()
        turn(self.peer)
        page = {"rooms": [], "next": "b"}
        answer_commands(self.peer, lambda header: None if "after" in header else page)
        self.peer.transport.lose()
        self.failureResultOf(asked, SessionEnded)


class AloneTests(SynchronousTestCase):
    """`ClientCommands` needs a client."""

    def test_needs_a_client(self) -> None:
        """The client must implement sending and the hooks."""
        requests = ClientCommands(Progress())
        self.assertRaises(NotImplementedError, requests.command, "who")
        self.assertRaises(NotImplementedError, requests.tell_joined, JOINED)
        self.assertRaises(NotImplementedError, requests._take_name, "alicia")
