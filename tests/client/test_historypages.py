"""Tests of reading a whole history, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.historypages import HistoryPages
from chatd.client.results import History
from chatd.errors import RequestError, SessionEnded
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.testing import MemoryServer
from chatd.wire.messages import Message
from tests.client.cases import CommandsCase
from tests.fakes.handserver import answer_commands, direct, hand_peer, turn


def next_of(pages: AsyncIterator[History]) -> Deferred[History]:
    """Ask for the next page."""

    async def read() -> History:
        return await pages.__anext__()

    return Deferred.fromCoroutine(read())


def texts(page: History) -> list[str]:
    """Return the texts of a page."""
    return [message.text for message in page.messages]


class HistoryPagesTests(CommandsCase):
    """Reading from a server."""

    def all_of(self, pages: AsyncIterator[History]) -> list[list[str]]:
        """Return the texts of each page."""

        async def read() -> list[list[str]]:
            return [texts(page) async for page in pages]

        return list(self.result(Deferred.fromCoroutine(read())))

    def test_all(self) -> None:
        """The pages have all messages once, the newest page first, each page in order."""
        self.say(self.alice, *map(str, range(5)))
        pages = self.bob.history_pages("lobby", limit=2)
        self.assertEqual(self.all_of(pages), [["3", "4"], ["1", "2"], ["0"]])
        self.assertEqual(self.all_of(pages), [])

    def test_full_last_page(self) -> None:
        """No empty page follows a last page that is full."""
        self.say(self.alice, *map(str, range(4)))
        pages = self.bob.history_pages("lobby", limit=2)
        self.assertEqual(self.all_of(pages), [["2", "3"], ["0", "1"]])

    def test_nothing(self) -> None:
        """Where there are no messages, there are no pages."""
        self.assertEqual(self.all_of(self.bob.history_pages("lobby")), [])
        self.assertEqual(self.all_of(self.bob.history_pages(other="eve")), [])

    def test_direct_messages(self) -> None:
        """The client reads direct messages in the same way."""
        self.say(self.alice, "one", "two", to="bob")
        self.say(self.bob, "three", to="alice")
        pages = self.bob.history_pages(other="alice", limit=2)
        self.assertEqual(self.all_of(pages), [["two", "three"], ["one"]])

    def test_before(self) -> None:
        """The pages may begin before any place."""
        receipts = self.say(self.alice, *map(str, range(5)))
        epoch = self.result(self.bob.history("lobby")).epoch
        pages = self.bob.history_pages("lobby", before=receipts[3].seq, epoch=epoch, limit=2)
        self.assertEqual(self.all_of(pages), [["1", "2"], ["0"]])

    def test_new_messages_meanwhile(self) -> None:
        """Messages that members send during the reading are on no page."""
        self.say(self.alice, *map(str, range(4)))
        pages = self.bob.history_pages("lobby", limit=2)
        self.assertEqual(texts(self.result(next_of(pages))), ["2", "3"])
        self.say(self.alice, "new")
        self.assertEqual(self.all_of(pages), [["0", "1"]])

    def test_dropped_meanwhile(self) -> None:
        """Messages that the server deletes during the reading are missing; the reading ends."""
        self.server = MemoryServer(
            store=MemoryStore(Retention(max_messages=4), unix_time=lambda: 0.0)
        )
        alice = self.server.connect("alice")
        self.say(alice, *map(str, range(4)))
        pages = alice.history_pages("lobby", limit=2)
        self.assertEqual(texts(self.result(next_of(pages))), ["2", "3"])
        self.say(alice, "4", "5", "6")
        self.assertEqual(self.all_of(pages), [])

    def test_another_epoch(self) -> None:
        """If the place is of another epoch, reading fails."""
        self.say(self.alice, *map(str, range(3)))
        pages = self.bob.history_pages("lobby", before=3, epoch="another")
        error = self.error(Deferred.fromCoroutine(pages.__anext__()))  # type: ignore[arg-type]
        self.assertEqual(error, "bad-request")

    def test_epoch_without_a_place(self) -> None:
        """An epoch without a place has no effect."""
        self.say(self.alice, "one")
        self.assertEqual(self.all_of(self.bob.history_pages("lobby", epoch="another")), [["one"]])

    def test_refused(self) -> None:
        """A refusal of the server is a refusal of the next page."""
        pages = self.bob.history_pages("cellar")
        error = self.error(Deferred.fromCoroutine(pages.__anext__()))  # type: ignore[arg-type]
        self.assertEqual(error, "not-in-room")

    def test_lost(self) -> None:
        """If the session ends, the next page fails with that end."""
        self.say(self.alice, *map(str, range(4)))
        pages = self.bob.history_pages("lobby", limit=2)
        self.result(next_of(pages))
        self.bob.transport.loseConnection()
        self.server.pump()
        asked = next_of(pages)
        self.failureResultOf(asked, SessionEnded)


class NonsenseTests(SynchronousTestCase):
    """Reading from a server with malformed answers."""

    def setUp(self) -> None:
        self.peer, self.client = hand_peer(self, [])

    def read(self, pages: AsyncIterator[History], *seqs: int, **fields: object) -> Deferred[Any]:
        """Read the next page, which the server answers with messages of these places."""
        asked = next_of(pages)
        turn(self.peer)

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            for seq in seqs:
                self.peer.send(direct("text", seq).with_ref(header["id"]))
            return {"epoch": "e", "count": len(seqs), "complete": False, **fields}

        answer_commands(self.peer, answer)
        return asked

    def test_not_back(self) -> None:
        """A page that does not lead back fails, so the reading always ends."""
        for seqs in ((), (5,), (6,), (4, 3), (3, 3), (4, 5)):
            pages = self.client.history_pages(other="bob")
            self.successResultOf(self.read(pages, 5, 6, 7))
            error = self.failureResultOf(self.read(pages, *seqs), RequestError).value
            self.assertIn("does not lead back", error.message)

    def test_no_place(self) -> None:
        """So does a message without a place."""
        page = History([Message.chat("text")], "e", True)
        pages = HistoryPages(lambda _: succeed(page), None, None)
        error = self.failureResultOf(next_of(pages), RequestError).value
        self.assertIn("does not lead back", error.message)

    def test_again(self) -> None:
        """After an error, the same page can be read again."""
        pages = self.client.history_pages(other="bob")
        self.successResultOf(self.read(pages, 5, 6))
        self.failureResultOf(self.read(pages, 5), RequestError)
        page = self.successResultOf(self.read(pages, 3, 4, complete=True))
        self.assertEqual([message.seq for message in page.messages], [3, 4])
        self.failureResultOf(self.read(pages), StopAsyncIteration)

    def test_new_epoch_meanwhile(self) -> None:
        """If the messages get another epoch between two pages, reading fails."""
        pages = self.client.history_pages(other="bob")
        self.successResultOf(self.read(pages, 5, 6))
        error = self.failureResultOf(self.read(pages, 3, epoch="f"), RequestError).value
        self.assertIn("a new order", error.message)
