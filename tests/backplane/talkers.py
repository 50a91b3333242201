"""Senders and readers that move between the daemons of one chat, and note what they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from zope.interface import implementer

from chatd import ChatClient, ChatClientFactory, ChatClientService, Message, RequestError
from chatd.chat.names import fold
from chatd.client.results import Joined
from chatd.errors import ErrorCode, SessionEnded
from tests.backplane.verdict import Receipt, Stretch

__all__ = ["ROOM", "AnyOf", "InTurn", "Talker"]

ROOM = "lobby"
BURST = 20
RETRY_S = 0.2
PAUSE_S = 0.2


Choose = Callable[[Sequence[str]], str]
"""Chooses one of several sockets."""


class InTurn:
    """Chooses one after the other, so that a client whose daemon fails goes to the next.

    Args:
        place: Where to begin.
    """

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, paths: Sequence[str]) -> str:
        """Choose the next."""
        self._place += 1
        return paths[(self._place - 1) % len(paths)]


@implementer(IStreamClientEndpoint)
class AnyOf:
    """Connects each time to one of several sockets.

    Args:
        reactor: The reactor.
        paths: The paths of the sockets.
        choose: Chooses one of them, for each attempt.
    """

    def __init__(self, reactor: Any, paths: Sequence[str], choose: Choose) -> None:
        self._reactor = reactor
        self._paths = paths
        self._choose = choose

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect to one of them."""
        path = self._choose(self._paths)
        return UNIXClientEndpoint(self._reactor, path, timeout=5).connect(factory)


class Talker:
    """A client that reconnects to any of the daemons.

    Args:
        reactor: The reactor.
        name: Its name.
        paths: The sockets of the daemons.
        chance: The source of its choices.
        choose: Chooses the socket of each attempt; None for one at random.

    Attributes:
        service: The library's service that keeps it connected.
        stretches: The messages that it heard, its own too; a new one begins with each loss that it
            was told of.
        receipts: Its receipts.
        refused: How often the library began to hold messages after a refusal with `not-stored`, and
            how often it gave up.
        sessions: The number of its sessions.
        faults: What it saw that no client may see.
        longest_s: The longest wait for a receipt, in seconds.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        paths: Sequence[str],
        chance: Random,
        choose: Choose | None = None,
    ) -> None:
        self.reactor = reactor
        self.name = name
        self.stretches: list[Stretch] = []
        self.receipts: list[Receipt] = []
        self.refused = self.sessions = 0
        self.faults: list[str] = []
        self.longest_s = 0.0
        self._chance = chance
        talker = self

        class Noting(ChatClient):
            """Notes the rooms and messages of a talker."""

            def established(self) -> None:
                talker.sessions += 1
                if fold(self.name) != fold(name):
                    talker.faults.append(f"{name} got the name {self.name}")

            def messages_held(self, refusal: RequestError) -> None:
                talker.refused += 1

            def room_joined(self, joined: Joined) -> None:
                talker.joined(joined)

            def message_received(self, message: Message, is_receipt: bool) -> None:
                talker.stretches[-1].messages.append(message)
                super().message_received(message, is_receipt)

        factory = ChatClientFactory(reactor, name=name, protocol=Noting)
        there = AnyOf(reactor, paths, choose or chance.choice)
        self.service = ChatClientService(reactor, there, factory, lambda _: RETRY_S)

    @property
    def seq(self) -> int:
        """The place of the last message that it heard."""
        if not self.stretches:
            return 0
        last = self.stretches[-1]
        return (last.messages[-1].seq or 0) if last.messages else last.after

    def joined(self, joined: Joined) -> None:
        """Note the state of the room that the client is in."""
        if not self.stretches:
            self.stretches.append(Stretch(joined.epoch, joined.seq))
        elif not joined.recovered:
            self.stretches.append(Stretch(joined.epoch, 0))
        elif joined.epoch != self.stretches[-1].epoch:
            self.faults.append(f"{self.name} was told of another epoch, and that nothing is lost")

    async def speak(self, is_over: Any) -> None:
        """Send bursts until a function says that it is over, each message until it is confirmed."""
        number = 0
        while not is_over():
            size = self._chance.randint(1, BURST)
            texts = [f"{self.name} {number + place}" for place in range(size)]
            number += size
            sent = [Deferred.fromCoroutine(self._send(text)) for text in texts]
            await gatherResults(sent, consumeErrors=True)
            await deferLater(self.reactor, self._chance.random() * PAUSE_S)

    async def _send(self, text: str) -> None:
        begun = self.reactor.seconds()
        id = text.replace(" ", "-")
        while True:
            try:
                receipt = await self.service.send(text, id=id, room=ROOM)
            except RequestError as error:
                if error.code != ErrorCode.NOT_STORED:
                    raise
                self.refused += 1
                await deferLater(self.reactor, RETRY_S)
                continue
            self.longest_s = max(self.longest_s, self.reactor.seconds() - begun)
            self.receipts.append(Receipt(receipt, text, self.stretches[-1].epoch))
            return

    async def wander(self, is_over: Any, longest_s: float) -> None:
        """Lose the connection now and then, until a function says that it is over."""
        while not is_over():
            await deferLater(self.reactor, self._chance.random() * longest_s)
            client = self.service.client
            if client is not None and client.is_active and not is_over():
                client.transport.abortConnection()

    async def drain(self) -> list[Message]:
        """Take the messages that the library gives to a program, and return them at the end."""
        taken = []
        try:
            async for message in self.service:
                taken.append(message)
        except SessionEnded as error:
            self.faults.append(f"{self.name} gave up: {error}")
        return taken
