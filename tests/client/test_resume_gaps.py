"""Tests of direct messages out of order: the client fetches missing messages first."""

from __future__ import annotations

from typing import Any

from chatd.wire.messages import Message
from tests.fakes.handserver import HandServer, answer_commands, answering, direct, welcome
from tests.fakes.networks import RETRY_S, LastingTests


class GapTests(LastingTests):
    """A server by hand that leaves out some direct messages."""

    def setUp(self) -> None:
        super().setUp()
        self.by_hand = HandServer()
        self.service = self.make_service(self.by_hand)
        self.service.startService()
        self.begin([])

    def begin(self, conversations: list[dict[str, Any]]) -> None:
        """Welcome the client, and list its conversations."""
        welcome(self.by_hand.peer)
        answer_commands(self.by_hand.peer, lambda _: {"conversations": conversations})

    def tell(self, *messages: Message) -> None:
        self.by_hand.peer.send(*messages)
        self.reactor.advance(0)

    def asked(self, *messages: Message, **fields: Any) -> list[dict[str, Any]]:
        """Answer `history` with messages, and return the request."""

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            self.by_hand.peer.send(*answering(header, messages))
            standing = {"epoch": "e", "count": len(messages), "complete": True, "recovered": True}
            return {**standing, **fields}

        headers = answer_commands(self.by_hand.peer, answer)
        return [{name: header[name] for name in ("with", "after")} for header in headers]

    def test_new(self) -> None:
        """The first message with a name triggers a fetch of its epoch, and comes once."""
        self.tell(direct("one", 1))
        self.assertEqual(self.asked(), [{"with": "bob", "after": 1}])
        self.assertEqual(self.clients.progress.direct["bob"].epoch, "e")
        self.assertEqual(self.taken(), ["one"])

    def test_gap(self) -> None:
        """The client delivers a message after a gap once it has the missing messages."""
        self.tell(direct("one", 1))
        self.asked()
        self.tell(direct("three", 3), direct("four", 4))
        self.assertEqual(self.taken(), ["one"])
        missing = [direct("two", 2), direct("three", 3), direct("four", 4)]
        self.assertEqual(self.asked(*missing), [{"with": "bob", "after": 1}])
        self.tell(direct("five", 5))
        self.assertEqual(self.taken(), ["two", "three", "four", "five"])

    def test_gap_that_stays(self) -> None:
        """Messages that are no longer stored stay missing; the client delivers the others."""
        self.tell(direct("one", 1))
        self.asked()
        self.tell(direct("four", 4))
        self.asked(direct("three", 3), direct("four", 4), recovered=False)
        self.assertEqual(self.taken(), ["one", "three", "four"])

    def test_gap_that_cannot_be_filled(self) -> None:
        """If a fetch fails now, the next message triggers another."""
        self.tell(direct("one", 1))
        self.asked()
        self.tell(direct("three", 3))
        answer_commands(self.by_hand.peer, lambda _: "not-stored")
        self.assertEqual(self.clients.errors, ["not-stored"])
        self.tell(direct("four", 4))
        self.asked(direct("two", 2), direct("three", 3), direct("four", 4))
        self.assertEqual(self.taken(), ["one", "two", "three", "four"])

    def test_gap_of_pages(self) -> None:
        """The client fetches a gap page by page; an empty page is the last."""
        self.tell(direct("one", 1))
        self.asked()
        self.tell(direct("three", 3))
        pages = [[direct("two", 2)], [direct("three", 3)], []]

        def answer(header: dict[str, Any]) -> dict[str, Any]:
            page = pages.pop(0)
            self.by_hand.peer.send(*answering(header, page))
            return {"epoch": "e", "count": len(page), "complete": False, "recovered": True}

        headers = answer_commands(self.by_hand.peer, answer)
        self.assertEqual([header["after"] for header in headers], [1, 2, 3])
        self.assertEqual(self.taken(), ["one", "two", "three"])

    def test_lost_while_fetching(self) -> None:
        """The end of the session is no failure; the next session fetches."""
        self.tell(direct("one", 1))
        self.asked()
        self.tell(direct("three", 3))
        self.by_hand.peer.transport.lose()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.reactor.advance(RETRY_S)
        welcome(self.by_hand.peer)

        def answer(header: dict[str, Any]) -> dict[str, Any] | str:
            if header["command"] == "conversations":
                return {"conversations": [{"with": "bob", "epoch": "e", "seq": 3}]}
            if header["command"] == "join":
                return "no-such-room"
            missed = [direct("two", 2), direct("three", 3)]
            self.by_hand.peer.send(*answering(header, missed))
            return {"epoch": "e", "count": 2, "complete": True, "recovered": True}

        answer_commands(self.by_hand.peer, answer)
        self.assertEqual(self.taken(), ["one", "two", "three"])

    def test_epoch_that_was_not_learnt(self) -> None:
        """An epoch that was not learnt in time is learnt after a reconnect."""
        self.tell(direct("one", 1))
        for epoch, told in (("e", []), ("f", [direct("other", 1)])):
            self.by_hand.peer.transport.lose()
            self.reactor.advance(RETRY_S)
            welcome(self.by_hand.peer)

            def answer(header: dict[str, Any], epoch=epoch, told=told) -> dict[str, Any] | str:
                if header["command"] == "conversations":
                    return {"conversations": [{"with": "bob", "epoch": epoch, "seq": 1}]}
                if header["command"] == "join":
                    return "no-such-room"
                self.by_hand.peer.send(*answering(header, told))
                standing = {"epoch": epoch, "count": len(told), "complete": True}
                return {**standing, "recovered": not told}

            answer_commands(self.by_hand.peer, answer)
        self.assertEqual(self.taken(), ["one", "other"])

    def test_answer_that_makes_no_sense(self) -> None:
        """The client reports a malformed answer as an error; the session goes on."""
        self.tell(direct("one", 1))
        answer_commands(self.by_hand.peer, lambda _: {"count": "many"})
        self.assertEqual(self.clients.errors, ["bad-request"])
        self.assertTrue(self.service.client.is_active)
