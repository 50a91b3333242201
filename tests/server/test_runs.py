"""Messages that arrive together: clients cannot tell whether the server took them as a run."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.factory import ChatFactory
from chatd.server.limits import Limits
from chatd.server.session import Session
from chatd.wire.envelope import EnvelopeSealer
from chatd.wire.keys import mac_key
from chatd.wire.messages import Message, MessageType
from tests.fakes.peers import GatedStore, Peer, command, hand_client, memory_factory, settle

NAMES = ("ann", "bob", "cat")
ROOMS = (None, "lobby", "ops", "LOBBY", "nowhere")
EVENTS = 1_500
"""Number of random events of each test."""
SEAL = EnvelopeSealer(mac_key(None)).seal
SMALL = Limits(max_in_work=7, max_in_work_bytes=400)
"""Reading pauses often, after a few messages or bytes."""


class OneByOne(ChatFactory):
    """A server whose own hook gets each message, and does what the server does without it."""

    def message_received(self, session: Session, message: Message) -> None:
        self.publish(session, message)


class World:
    """A server with clients, and all that the clients were sent.

    Args:
        factory: The server.
    """

    def __init__(self, factory: ChatFactory) -> None:
        self.factory = factory
        self.clients: dict[str, Peer] = {}

    def send(self, name: str, data: bytes, cuts: list[int]) -> None:
        """Send bytes from a client in pieces; a client that is gone comes back before."""
        client = self.clients.get(name)
        if client is None or client.protocol.connection.is_over:
            client = self.clients[name] = hand_client(self.factory, name)
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            client.protocol.dataReceived(data[start:end])

    def take(self) -> list[Any]:
        """Return what each client was sent since the last call, without ids made by chance.

        Sessions that end in the same turn end in any order, so the departures stand apart.
        """
        taken = [(name, list(map(_told, client.take()))) for name, client in self.clients.items()]
        return [
            (
                name,
                [each for each in told if not _is_departure(each)],
                sorted(filter(_is_departure, told), key=repr),
            )
            for name, told in taken
        ]

    def pending(self) -> list[tuple[int, int]]:
        """Return how many answers are owed to each client, and how many of its bytes are held."""
        protocols = [client.protocol for client in self.clients.values()]
        return [
            (each.session.answers.owed if each.session else 0, each.connection.held_bytes)
            for each in protocols
        ]


def _told(message: Message) -> tuple[int, Any, bytes]:
    header = msgspec.to_builtins(message.header)
    return (message.type, _without_chance(header), message.content)


def _is_departure(told: tuple[int, Any, bytes]) -> bool:
    return told[0] == MessageType.EVENT and told[1]["event"] == "left"


def _without_chance(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_chance(each)
            for name, each in value.items()
            if name not in ("epoch", "session_id")
        }
    return [_without_chance(each) for each in value] if isinstance(value, list) else value


class Chance:
    """Makes up what clients send, mostly messages, some of them repeated or refused.

    Args:
        seed: The same seed gives the same frames.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._last = 0

    def data(self) -> bytes:
        """Return the bytes of some frames."""
        return b"".join(self._frame() for _ in range(self.random.choice((1, 1, 2, 5, 30))))

    def cuts(self, length: int) -> list[int]:
        """Return the places at which bytes are cut."""
        count = self.random.choice((0, 0, 1, 3))
        return sorted(self.random.sample(range(1, length), count))

    def _frame(self) -> bytes:
        kind = self.random.random()
        if kind < 0.9:
            return SEAL(4, msgspec.json.encode(self._header()), self._content())
        frames = (
            SEAL(3, b'{"n":1}', b"ping"),
            SEAL(4, b'{"id":5}', b""),
            SEAL(4, b'{"id":"m","x":"\xff"}', b""),
            SEAL(99, b"{}", b""),
            SEAL(5, b'{"code":"x"}', b""),
            SEAL(4, b'{"id":"damaged"}', b"?")[:-1] + b"!",
            self._command("join", room="ops"),
            self._command("leave", room="ops"),
            self._command("who"),
            self._command("history", limit=3),
            self._command("topic", topic="tea"),
        )
        return self.random.choice(frames)

    def _header(self) -> dict[str, Any]:
        if self.random.random() < 0.9:
            self._last += 1
        header: dict[str, Any] = {"id": f"m{self._last}"}
        place = self.random.random()
        if place < 0.3:
            header["room"] = self.random.choice(ROOMS)
        elif place < 0.4:
            header["to"] = self.random.choice((*NAMES, "dan", "not a name\n"))
            if self.random.random() < 0.1:
                header["room"] = "lobby"
        return {name: value for name, value in header.items() if value is not None}

    def _content(self) -> bytes:
        return b"x" * self.random.choice((0, 1, 1, 50, 300))

    def _command(self, name: str, **fields: object) -> bytes:
        message = command(name, **fields)
        return SEAL(int(MessageType.COMMAND), msgspec.json.encode(message.header), b"")


class SameTests(SynchronousTestCase):
    """A server that takes runs and a server with a hook of its own send the same frames."""

    def compare(self, seed: int, *stores: GatedStore, **options: Any) -> None:
        """Compare both servers after each of many random events."""
        chance = Chance(seed)
        given = [{"store": store} for store in stores] or [{}, {}]
        classes: list[type[ChatFactory]] = [ChatFactory, OneByOne]
        worlds = [
            World(memory_factory(factory_class, **options, **each))
            for factory_class, each in zip(classes, given, strict=True)
        ]
        for number in range(EVENTS):
            name, what = chance.random.choice(NAMES), chance.random.random()
            if what < 0.6:
                data = chance.data()
                cuts = chance.cuts(len(data))
                for world in worlds:
                    world.send(name, data, cuts)
            else:
                for world in worlds:
                    settle(world.factory)
            if stores and stores[0].is_asked and what < 0.5:
                for store in stores:
                    store.fail() if what < 0.05 else store.answer()
            run, single = (world.take() for world in worlds)
            self.assertEqual(run, single, number)
            run, single = (world.pending() for world in worlds)
            self.assertEqual(run, single, number)

    def test_default_limits(self) -> None:
        """The same frames in the same order, with the default limits."""
        self.compare(1)

    def test_small_limits(self) -> None:
        """The same where reading pauses in the middle of what arrived together."""
        self.compare(2, limits=SMALL)

    def test_slow_store(self) -> None:
        """The same where the store answers late or fails."""
        self.compare(3, GatedStore(), GatedStore())

    def test_slow_store_and_small_limits(self) -> None:
        """The same where both meet: reading pauses until the store answers."""
        self.compare(4, GatedStore(), GatedStore(), limits=SMALL)


class Other(ChatFactory):
    """A server with the usual hooks."""


class TakesRunsTests(SynchronousTestCase):
    """A server takes runs only if nobody overrode what happens to a message."""

    def setUp(self) -> None:
        self.texts: list[str] = []

    def test_overridden(self) -> None:
        """A class or an object with its own `message_received` or `publish` gets each message."""

        class Publisher(ChatFactory):
            def publish(self, session: Session, message: Message) -> None:
                super().publish(session, message)

        class Heir(OneByOne):
            pass

        classes = (OneByOne, Publisher, Heir, ChatFactory, Other)
        takes_runs = [memory_factory(factory_class).takes_runs for factory_class in classes]
        self.assertEqual(takes_runs, [False, False, False, True, True])
        for name in ("message_received", "publish"):
            factory: Any = memory_factory()
            setattr(factory, name, lambda *_: None)
            self.assertFalse(factory.takes_runs)

    def test_patched(self) -> None:
        """A hook that a test puts into a class gets each message, also in existing servers."""
        for patched in (ChatFactory, Other):
            factory = memory_factory(Other)
            client = hand_client(factory)
            patch = self.patch(patched, "message_received", self.note)
            client.say("one", "two")
            self.assertEqual(self.texts, ["one", "two"])
            patch.restore()
            self.texts.clear()

    def note(self, session: Session, message: Message) -> None:
        self.texts.append(message.text)

    def test_each_in_order(self) -> None:
        """A hook gets each of the messages that arrive together, in order."""
        texts: list[str] = []

        class Listening(ChatFactory):
            def message_received(self, session: Session, message: Message) -> None:
                texts.append(message.text)
                self.publish(session, message)

        client = hand_client(memory_factory(Listening))
        client.say("one", "two", "three")
        self.assertEqual(texts, ["one", "two", "three"])
