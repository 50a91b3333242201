"""Tests of a program that is far behind: its messages wait at the server until it catches up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.client import ChatClient
from chatd.client.overflow import Behind
from chatd.errors import SessionEnded, StoreError
from chatd.server.session import Session
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from chatd.testing import MemoryServer
from chatd.wire.messages import ChatHeader, Message, MessageType
from tests.client.cases import ClientCase
from tests.fakes.handserver import answering, fields_of, hand_peer, turn

MANY = 30
"""Messages of `SIZE` bytes, of which the inbox holds less than a third."""
SIZE = 1024 * 1024

Body = Callable[[str], Awaitable[object]]


class Reader(ChatClient):
    """A client that notes its hooks' calls."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.missed: list[tuple[str | None, str | None]] = []
        self.errors: list[str] = []

    def messages_missed(self, room: str | None, other: str | None) -> None:
        self.missed.append((room, other))

    def error_received(self, error: Any) -> None:
        self.errors.append(error.code)


async def nothing(_: str) -> None:
    """Do nothing in the body of a loop."""


class RefillCase(ClientCase):
    """Alice, who iterates, and bob, whose server keeps all messages."""

    retention = Retention()

    def setUp(self) -> None:
        store = MemoryStore(self.retention)
        self.server = MemoryServer(store=store)
        self.alice: Any = self.server.connect("alice", protocol=Reader)
        self.bob = self.server.connect("bob")

    def say(self, *numbers: int, **options: str) -> None:
        for number in numbers:
            self.successful(self.bob.send(str(number).ljust(SIZE), **options))

    def successful(self, asked: Deferred[Any]) -> Any:
        self.pump()
        return self.successResultOf(asked)

    def take(self, count: int, body: Body = nothing) -> list[int]:
        """Iterate over a number of messages."""

        async def iterate() -> list[int]:
            taken: list[int] = []
            async for message in self.alice:
                taken.append(int(message.text))
                if len(taken) == count:
                    break
                await body(message.text.strip())
            return taken

        taken: list[int] = self.successful(Deferred.fromCoroutine(iterate()))
        return taken

    def check_nothing_waits(self) -> None:
        taking = self.next_of(self.alice)
        self.pump()
        self.assertNoResult(taking)
        taking.addErrback(lambda _: None).cancel()


class RefillTests(RefillCase):
    """A program that falls behind loses nothing."""

    def test_body_awaits_send(self) -> None:
        """The body of the loop gets its receipts, however many messages wait."""
        self.say(*range(MANY))
        taken = self.take(MANY, lambda text: self.alice.send(f"got {text}"))
        self.assertEqual(taken, list(range(MANY)))
        self.assertEqual(self.alice.gaps, 0)
        self.check_nothing_waits()

    def test_break_and_send(self) -> None:
        """A program that left the loop can send, and finds the messages when it iterates again."""
        self.say(0)
        self.take(1)
        self.say(*range(1, MANY))
        self.successful(self.alice.send("hello"))
        self.assertEqual(self.take(MANY - 1), list(range(1, MANY)))

    def test_before_the_first_loop(self) -> None:
        """A program that iterates late gets all messages."""
        self.say(*range(MANY))
        self.assertEqual(self.take(MANY), list(range(MANY)))

    def test_body_says_more(self) -> None:
        """Messages that arrive while earlier ones are fetched come after them, once."""
        self.say(*range(MANY))
        following = iter(range(MANY, 2 * MANY))

        async def say_next(_: str) -> None:
            number = next(following, None)
            if number is not None:
                await self.bob.send(str(number).ljust(SIZE))

        self.assertEqual(self.take(2 * MANY, say_next), list(range(2 * MANY)))
        self.check_nothing_waits()

    def test_direct(self) -> None:
        """Direct messages wait as well."""
        self.say(*range(MANY), to="alice")
        self.assertEqual(self.take(MANY), list(range(MANY)))
        self.assertEqual(self.alice.missed, [])

    def test_rooms(self) -> None:
        """Each room keeps its order, and small messages of other rooms are not lost."""
        for client in (self.alice, self.bob):
            self.successful(client.join("garden"))
        for number in range(MANY):
            self.say(number, room="lobby" if number % 2 else "garden")
        taken = self.take(MANY)
        for remainder in (0, 1):
            own = [number for number in taken if number % 2 == remainder]
            self.assertEqual(own, list(range(remainder, MANY, 2)))
        self.check_nothing_waits()

    def test_memory_is_bounded(self) -> None:
        """What waits for the program does not grow with the messages that arrive."""
        self.say(*range(MANY))
        kept = len(self.alice._inbox._messages)
        self.say(*range(MANY, 2 * MANY))
        self.assertEqual(len(self.alice._inbox._messages), kept)

    def test_own_messages(self) -> None:
        """The client's own messages stay out of the iteration when they are fetched."""
        self.say(*range(10))
        self.successful(self.alice.send("of alice"))
        self.say(10, 11)
        self.assertEqual(self.take(12), list(range(12)))

    def test_hook(self) -> None:
        """The hook gets each message once, when it arrives."""
        heard: list[int] = []
        receive = self.alice.message_received

        def hear(message: Any, is_receipt: bool) -> Any:
            heard.append(int(message.text))
            return receive(message, is_receipt)

        self.alice.message_received = hear
        self.say(*range(MANY))
        self.assertEqual(self.take(MANY), list(range(MANY)))
        self.assertEqual(heard, list(range(MANY)))


class EndTests(RefillCase):
    """A session ends while messages wait at the server."""

    def test_lost(self) -> None:
        """The program gets the messages that the client has, and then the reason."""
        self.say(*range(MANY))
        self.lose(self.alice)
        taken = self.take(7)
        self.assertEqual(taken, list(range(7)))
        self.failureResultOf(self.next_of(self.alice), SessionEnded)
        self.assertEqual((self.alice.missed, self.alice.gaps), ([("lobby", None)], 1))

    def test_goodbye(self) -> None:
        """After a clean end, the program learns that it does not get the rest, once a stream."""
        self.say(*range(MANY))
        self.say(*range(MANY), to="alice")
        self.server.session_of(self.alice).end("goodbye", "good night")
        self.pump()
        self.assertEqual(self.alice.missed, [("lobby", None), (None, "bob")])
        self.assertEqual(self.take(7), list(range(7)))
        self.failureResultOf(self.next_of(self.alice), StopAsyncIteration)
        self.assertEqual(self.alice.gaps, 2)

    def test_nothing_waits(self) -> None:
        """A program that has all messages misses none at the end."""
        self.say(*range(MANY))
        self.take(MANY)
        self.server.session_of(self.alice).end("goodbye", "good night")
        self.pump()
        self.failureResultOf(self.next_of(self.alice), StopAsyncIteration)
        self.assertEqual((self.alice.missed, self.alice.gaps), ([], 0))

    def test_store_fails(self) -> None:
        """If the server cannot read now, the session ends, and may come back."""
        store: Any = self.server.factory.store

        async def read(*arguments: Any, **options: Any) -> None:
            raise StoreError("the disk is on fire")

        self.say(*range(MANY))
        store.read = read
        self.take(7)
        end = self.alice.connection.end_reason
        self.assertEqual((end.code, end.retry), ("not-stored", True))
        self.assertEqual(self.alice.missed, [("lobby", None)])
        self.flushLoggedErrors(StoreError)


class GapTests(RefillCase):
    """Messages that the server no longer has are told as missing."""

    retention = Retention(max_messages=10)

    def test_deleted(self) -> None:
        """If the server has deleted messages, the program learns it, and gets those after."""
        self.say(*range(MANY))
        taken = self.take(17)
        self.assertEqual(taken, [*range(7), *range(MANY - 10, MANY)])
        self.assertEqual(self.alice.missed, [("lobby", None)])
        self.assertEqual(self.alice.gaps, 1)
        self.check_nothing_waits()

    def test_all_deleted(self) -> None:
        """If all of them are gone, the program learns that too."""
        self.say(*range(MANY))
        store: Any = self.server.factory.store
        store._streams.clear()
        self.take(7)
        self.check_nothing_waits()
        self.assertEqual(self.alice.missed, [("lobby", None)])

    def test_left_room(self) -> None:
        """The messages of a room that the client left cannot be fetched."""
        self.say(*range(MANY))
        self.successful(self.alice.leave("lobby"))
        self.take(7)
        self.check_nothing_waits()
        self.assertEqual(self.alice.errors, ["not-in-room"])
        self.assertEqual(self.alice.missed, [("lobby", None)])

    def test_not_kept(self) -> None:
        """Messages that the server keeps nowhere are missing if they do not fit, told once."""
        session: Session = self.server.session_of(self.alice)
        for number in range(MANY):
            session.send(str(number).ljust(SIZE))
            self.pump()  # more at once would be too much to wait for a peer
        self.assertEqual(self.alice.missed, [(None, "server")])
        self.assertEqual(self.take(7), list(range(7)))

    def test_renamed(self) -> None:
        """Direct messages to an earlier name cannot be fetched."""
        self.say(*range(MANY), to="alice")
        self.successful(self.alice.rename("alicia"))
        self.assertEqual(self.alice.missed, [(None, None)])
        self.take(7)
        self.check_nothing_waits()

    def test_logged(self) -> None:
        """A client that does not override the hook logs the gap."""
        with capturedLogs() as logged:
            for where in (("lobby", None), (None, "bob"), (None, None)):
                self.bob.tell_missed(*where)
        where_missed = [event["where"] for event in logged]
        self.assertEqual(where_missed, ["in lobby", "from bob", "sent directly"])
        self.assertEqual(self.bob.gaps, 3)


class NonsenseTests(SynchronousTestCase):
    """A server whose history makes no sense."""

    def setUp(self) -> None:
        self.heard: list[str] = []
        self.peer, self.client = hand_peer(self, self.heard)
        self.client.message_received = self.hear
        self.missed: list[str | None] = []
        self.client.messages_missed = lambda room, other: self.missed.append(room)
        self.peer.send(*(self.said(seq) for seq in range(1, 10)))
        turn(self.peer)

    def hear(self, message: Message, is_receipt: bool) -> Any:
        return ChatClient.message_received(self.client, message, is_receipt)

    def said(self, seq: int) -> Message:
        header = ChatHeader(id=str(seq), room="lobby", sender="bob", seq=seq)
        return Message(MessageType.MESSAGE, header, bytes(SIZE))

    def answer(self, *messages: Message, complete: bool = False) -> None:
        """Take messages until the client asks for more, and answer it once."""
        for _ in range(len(self.client._inbox._messages)):
            taking = Deferred.fromCoroutine(self.client.__anext__())
            self.successResultOf(taking)
        turn(self.peer)
        (asked,) = (fields_of(each) for each in self.peer.take())
        self.peer.send(*answering(asked, messages))
        fields = {"count": len(messages), "complete": complete, "epoch": "e", "id": asked["id"]}
        self.peer.send(Message(MessageType.RESULT, fields))
        turn(self.peer)

    def test_no_advance(self) -> None:
        """A history that does not advance is not read for ever."""
        self.answer(self.said(3))
        self.assertEqual(self.peer.take(), [])
        self.assertEqual(self.missed, ["lobby"])

    def test_empty_page(self) -> None:
        """An empty page is the last, whatever it says."""
        self.answer()
        self.assertEqual(self.peer.take(), [])
        self.assertEqual(self.missed, ["lobby"])

    def test_new_order_meanwhile(self) -> None:
        """A page of an old order is not taken, if a new order began before it arrived."""
        peer_take = self.peer.take

        def take() -> list[Message]:
            taken: list[Message] = peer_take()
            self.client._progress.joined("lobby", "f", 0)
            self.peer.send(self.said(1))
            turn(self.peer)
            return taken

        self.peer.take = take
        self.answer(self.said(8), self.said(9))
        (asked,) = (fields_of(each) for each in peer_take())
        self.assertEqual(asked["after"], 0)
        self.assertFalse(self.client._inbox._messages)

    def test_other_name_meanwhile(self) -> None:
        """A page that arrives after the client took another name is not taken."""
        peer_take = self.peer.take

        def take() -> list[Message]:
            self.client._inbox.overflow.remove(cast(Behind, self.client._inbox.overflow.first()))
            return peer_take()

        self.peer.take = take
        self.answer(self.said(8), self.said(9))
        self.assertFalse(self.client._inbox._messages)

    def test_session_ends(self) -> None:
        """A page that is asked for when the session ends is no error, and is missing."""
        for _ in range(4):
            self.successResultOf(Deferred.fromCoroutine(self.client.__anext__()))
        self.peer.transport.lose()
        self.assertEqual(self.missed, ["lobby"])
