"""The two connections to Redis: one for commands, one that hears channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

import hiredis
import txredisapi
from twisted.internet.defer import Deferred, FirstError, gatherResults, succeed
from twisted.python.failure import Failure

__all__ = ["Arg", "Commands", "Dial", "Pushes", "Reply", "all_of"]


Arg = bytes | str | int
"""An argument of a command."""
Reply = Any
"""The reply to a command: bytes, a whole number, None, or a list of these and of such lists."""
P = TypeVar("P", bound="Commands")


class Dial(Protocol):
    """Connects to Redis."""

    def __call__(self, make: Callable[[], P]) -> Awaitable[P]:
        """Return a new connection, which is logged in and has the database selected.

        Args:
            make: Makes the protocol to connect.

        Raises:
            StoreError: It failed; the text is one line that says what to do.
        """


class Commands(txredisapi.RedisProtocol):  # type: ignore[misc]  # no types
    """A connection for commands; arguments and replies are bytes and numbers.

    Attributes:
        on_lost: Called with the reason, once, when the connection is lost.
    """

    def __init__(self) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self.on_lost: Callable[[str], None] = _ignore

    def tryConvertData(self, data: Reply) -> Reply:
        """Return a reply as it is."""
        return data

    def _build_command(self, *args: Arg, **options: object) -> bytes:
        """Return a command's bytes, much faster than the base class: a turn has many arguments."""
        return hiredis.pack_command(args)  # type: ignore[no-any-return,arg-type]

    def connectionLost(self, why: Failure) -> None:
        """Tell it, and fail all commands without an answer.

        In this order: a caller whose command fails may call again at once, and that call must wait
        for the next attachment.
        """
        self.connected = 0
        on_lost, self.on_lost = self.on_lost, _ignore
        on_lost(why.getErrorMessage())
        super().connectionLost(why)

    def abort(self) -> Deferred[Any]:
        """Close the connection at once; the Deferred fires when it is closed."""
        if not self.connected or self.transport is None:
            return succeed(None)
        closed = self.whenDisconnected()
        self.transport.abortConnection()
        return closed  # type: ignore[no-any-return]


class Pushes(Commands):
    """A connection that hears channels.

    Attributes:
        on_push: Called with the channel and the data of each push.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_push: Callable[[bytes, bytes], None] = _ignore
        self._waiting: dict[bytes, list[Deferred[None]]] = {}

    def subscribe(self, channels: Iterable[str]) -> Deferred[None]:
        """Begin to hear channels; the Deferred fires when Redis has confirmed the last of them."""
        names = [channel.encode() for channel in channels]
        confirmed: Deferred[None] = Deferred()
        self._waiting.setdefault(names[-1], []).append(confirmed)
        self.transport.write(self._build_command(b"SUBSCRIBE", *names))
        return confirmed

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Stop to hear channels."""
        names = [channel.encode() for channel in channels]
        self.transport.write(self._build_command(b"UNSUBSCRIBE", *names))

    def replyReceived(self, reply: Reply) -> None:
        """Take a push, a confirmation, or the reply to a command."""
        if type(reply) is not list:
            super().replyReceived(reply)
        elif reply[0] == b"message":
            self.on_push(reply[1], reply[2])
        elif reply[0] == b"subscribe" and reply[1] in self._waiting:
            waiting = self._waiting[reply[1]]
            waiting.pop(0).callback(None)
            if not waiting:
                del self._waiting[reply[1]]

    def connectionLost(self, why: Failure) -> None:
        """Tell it, and fail all subscriptions without a confirmation."""
        super().connectionLost(why)
        waiting, self._waiting = self._waiting, {}
        for each in (deferred for group in waiting.values() for deferred in group):
            each.errback(txredisapi.ConnectionError("Lost connection"))


async def all_of(waiting: Iterable[Deferred[Any]]) -> list[Any]:
    """Wait for all answers, and return them; if some fail, raise the first failure."""
    try:
        return await gatherResults(waiting, consumeErrors=True)
    except FirstError as error:
        raise error.subFailure.value from error  # type: ignore[misc]  # it has a value


def _ignore(*arguments: object) -> None:
    pass
