"""Tests of resuming with a client by hand: `resume` needs only its interface."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.progress import Position, Progress
from chatd.client.results import Conversation, History, Joined
from chatd.client.resume import catch_up, fetch, rejoin
from chatd.errors import RequestError, SessionEnded
from chatd.wire.messages import Message
from tests.fakes.handserver import direct

REFUSED = RequestError("no-such-room", "no")
NAMED = RequestError("no-such-room", "cannot enter a: no")
LOST = SessionEnded("connection-lost", "the connection was lost", retry=True)


class HandClient:
    """A client by hand, with given answers; it notes its calls.

    Attributes:
        answers: The answers to each command, in order; an exception makes the command fail.
        asked: The commands that it was given.
        told: The calls of its hooks.
    """

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.told: list[object] = []

    def join(self, room: str, **fields: Any) -> Deferred[Joined]:
        return self._answer("join", {"room": room, **fields})

    def history(self, **fields: Any) -> Deferred[History]:
        return self._answer("history", fields)

    def conversations(self) -> Deferred[list[Conversation]]:
        return self._answer("conversations", {})

    def tell_joined(self, joined: Joined) -> None:
        self.told.append(joined)

    def tell_error(self, error: RequestError) -> None:
        self.told.append(error)

    def tell_missed(self, room: str | None, other: str | None) -> None:
        self.told.append(("missed", room, other))

    def receive_message(self, message: Message) -> None:
        self.told.append(message.text)

    def _answer(self, command: str, fields: dict[str, Any]) -> Deferred[Any]:
        self.asked.append((command, fields))
        answer = self.answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class ResumeTests(SynchronousTestCase):
    """A client by hand, which was in a room."""

    def setUp(self) -> None:
        self.progress = Progress()

    def run_with(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.successResultOf(Deferred.fromCoroutine(coroutine))

    def page(self, *messages: Message, complete: bool = True) -> History:
        return History(list(messages), "e", complete, recovered=True)


class RejoinTests(ResumeTests):
    """`rejoin` joins a client's rooms again."""

    def test_new_room(self) -> None:
        """A room with a place in the welcome needs no `join`."""
        client = HandClient()
        rooms = [{"room": "Lobby", "epoch": "e", "seq": 4, "last_id": "m4"}]
        self.run_with(rejoin(client, self.progress, rooms))
        self.assertEqual(client.told, [Joined(room="Lobby", epoch="e", seq=4, last_id="m4")])
        self.assertTrue(self.progress.rooms["lobby"].is_at("e", 4, "m4"))
        self.assertEqual(client.asked, [])

    def test_known_room(self) -> None:
        """A room from the last session is joined at the client's position."""
        self.progress.joined("lobby", "e", 4, "m4")
        client = HandClient(Joined(room="lobby", epoch="e", seq=6))
        rooms = [{"room": "lobby", "epoch": "e", "seq": 6}]
        self.run_with(rejoin(client, self.progress, rooms))
        place = {"room": "lobby", "after": 4, "epoch": "e", "after_id": "m4"}
        self.assertEqual(client.asked, [("join", place)])

    def test_refused(self) -> None:
        """The client leaves a room that refuses it, and reports that."""
        self.progress.joined("a", "e", 4)
        client = HandClient(REFUSED)
        self.run_with(rejoin(client, self.progress, []))
        self.assertEqual(list(map(str, client.told)), [str(NAMED)])
        self.assertEqual(list(self.progress.rooms), [])

    def test_refused_with_the_name(self) -> None:
        """A refusal that names the room is reported as it is."""
        self.progress.joined("Den", "e", 4)
        refused = RequestError("not-invited", "den is private: only invited people may enter it")
        client = HandClient(refused)
        self.run_with(rejoin(client, self.progress, []))
        self.assertEqual(client.told, [refused])

    def test_refused_for_now(self) -> None:
        """If the client cannot join a room now, the session ends, and the client keeps the room."""
        for code in ("not-stored", "internal-error"):
            self.progress = Progress()
            self.progress.joined("a", "e", 4)
            self.progress.joined("b", "e", 4)
            error = RequestError(code, "no")
            client = HandClient(REFUSED, error)
            coming_back = Deferred.fromCoroutine(rejoin(client, self.progress, []))
            self.assertIs(self.failureResultOf(coming_back, RequestError).value, error)
            told = [str(NAMED), f"{code}: cannot enter b: no"]
            self.assertEqual(list(map(str, client.told)), told)
            self.assertEqual(list(self.progress.rooms), ["b"])

    def test_lost(self) -> None:
        """The session's end ends it."""
        self.progress.joined("a", "e", 4)
        coming_back = Deferred.fromCoroutine(rejoin(HandClient(LOST), self.progress, []))
        self.failureResultOf(coming_back, SessionEnded)
        self.assertEqual(list(self.progress.rooms), ["a"])


class CatchUpTests(ResumeTests):
    """`catch_up` fetches the missed direct messages."""

    def test_news(self) -> None:
        """A client that is back fetches them; a new client only notes the positions."""
        conversation = Conversation(other="bob", epoch="e", seq=2, last_id="two")
        page = self.page(direct("one"), direct("two", 2))
        client = HandClient([conversation], page)
        self.progress.knows_direct = True
        self.run_with(catch_up(client, self.progress, had_name=True))
        self.assertEqual(client.told, ["one", "two"])
        client, self.progress = HandClient([conversation]), Progress()
        self.run_with(catch_up(client, self.progress, had_name=False))
        self.assertEqual(client.told, [])
        self.assertTrue(self.progress.direct["bob"].is_at("e", 2, "two"))

    def test_history_that_does_not_advance(self) -> None:
        """A history that begins twice is malformed: the client does not read it for ever."""
        self.progress.direct["bob"] = Position("bob", "e", 1, "one")
        again = History([direct("one"), direct("two", 2)], "e", False, recovered=False)
        client = HandClient([Conversation(other="bob", epoch="f", seq=9)], again, again)
        self.progress.knows_direct = True
        self.run_with(catch_up(client, self.progress, had_name=True))
        self.assertIn("does not advance", str(client.told[-1]))

    def test_nothing_missed(self) -> None:
        """The client does not fetch a conversation without new messages."""
        self.progress.direct["bob"] = Position("bob", "e", 2, "two")
        client = HandClient([Conversation(other="bob", epoch="e", seq=2, last_id="two")])
        self.progress.knows_direct = True
        self.run_with(catch_up(client, self.progress, had_name=True))
        self.assertEqual([command for command, _ in client.asked], ["conversations"])

    def test_refused(self) -> None:
        """If the server lacks conversations, the program gets the error."""
        client = HandClient(REFUSED)
        self.progress.knows_direct = True
        self.run_with(catch_up(client, self.progress, had_name=True))
        self.assertEqual(client.told, [REFUSED])


class FetchTests(ResumeTests):
    """`fetch` reads page by page."""

    def test_refused(self) -> None:
        """A refusal ends it; afterwards the gap may be fetched again."""
        position = Position("bob", "e", 1, "one")
        client = HandClient(REFUSED)
        self.run_with(fetch(client, position))
        self.assertEqual((client.told, position.is_filling), ([REFUSED], False))
        (asked,) = client.asked
        self.assertEqual((asked[1]["other"], asked[1]["after"]), ("bob", 1))

    def test_no_progress(self) -> None:
        """The client stops asking a server whose pages bring no new messages."""
        position = Position("bob", "e", 1, "one")
        client = HandClient(self.page(direct("one"), complete=False))
        self.run_with(fetch(client, position))
        self.assertEqual(len(client.asked), 1)
