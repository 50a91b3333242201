"""The two connections to Redis: one for commands, one that hears channels."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

import hiredis
from OpenSSL import SSL
from twisted.internet.defer import Deferred, FirstError, gatherResults, succeed
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

__all__ = [
    "Arg",
    "Commands",
    "Dial",
    "LostError",
    "Pushes",
    "RedisError",
    "RefusedError",
    "Reply",
    "all_of",
    "is_caused_by_loss",
    "reason_of",
]


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


class RedisError(Exception):
    """A command failed."""


class RefusedError(RedisError):
    """Redis answered a command with an error."""


class LostError(RedisError):
    """The connection was lost before the answer."""


def _refusal(text: str) -> RefusedError:
    """Return the error for an answer of Redis; if it wants a password, the text says where."""
    if text.startswith("NOAUTH"):
        text = f"{text.rstrip('.')}; give its password in --backplane-password-file"
    return RefusedError(text)


def is_caused_by_loss(error: Exception) -> bool:
    """Return whether an error has a `LostError` as its cause."""
    return isinstance(error.__cause__, LostError)


class Commands(TwistedProtocol):
    """A connection for commands.

    Attributes:
        on_lost: Called with the reason, once, when the connection is lost.
    """

    transport: ITCPTransport

    def __init__(self) -> None:
        self.on_lost: Callable[[str], None] = _ignore
        self._reader = hiredis.Reader(protocolError=RefusedError, replyError=_refusal)
        self._commands: deque[Deferred[Any]] = deque()
        self._closed: list[Deferred[None]] = []

    def execute_command(self, *args: Arg) -> Deferred[Any]:
        """Send a command; the Deferred fires with the reply, or fails with a `RedisError`."""
        if not self.connected:
            raise LostError("the connection is lost")
        reply: Deferred[Any] = Deferred()  # keeps its place when it is cancelled
        self._commands.append(reply)
        self._send(*args)
        return reply

    def _send(self, *args: Arg) -> None:
        self.transport.write(hiredis.pack_command(args))  # type: ignore[arg-type]  # bytes, too

    def dataReceived(self, data: bytes) -> None:
        """Take replies; bytes that are not a reply end the connection."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self.replied(reply)
        except RefusedError as error:
            self.lose(f"no reply of Redis: {error}")

    def replied(self, reply: Reply) -> None:
        """Take a reply."""
        if not self._commands:
            self.lose("a reply without a command")
            return
        waiting = self._commands.popleft()
        if isinstance(reply, RefusedError):
            waiting.errback(reply)
        else:
            waiting.callback(reply)

    def lose(self, reason: str) -> None:
        """Close the connection at once, because its bytes make no sense any more."""
        on_lost, self.on_lost = self.on_lost, _ignore
        on_lost(reason)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report the loss, and then fail all commands without an answer.

        In this order: a caller whose command fails may call again at once, and that call must wait
        for the next attachment.
        """
        self.connected = 0
        on_lost, self.on_lost = self.on_lost, _ignore
        why = reason_of(reason)
        on_lost(why)
        while self._commands:
            self._commands.popleft().errback(LostError(f"the connection is lost: {why}"))
        closed, self._closed = self._closed, []
        for each in closed:
            each.callback(None)

    def abort(self) -> Deferred[None]:
        """Close the connection at once; the Deferred fires when it is closed."""
        if not self.connected:
            return succeed(None)
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        self.transport.abortConnection()
        return closed


class Pushes(Commands):
    """A connection that hears channels.

    Attributes:
        on_push: Called with the channel and the data of each push.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_push: Callable[[bytes, bytes], None] = _ignore
        self._subscribing: dict[bytes, deque[Deferred[None]]] = {}

    def subscribe(self, channels: Iterable[str]) -> Deferred[None]:
        """Begin to hear channels; the Deferred fires when Redis has confirmed the last of them.

        Raises:
            LostError: The connection is lost.
        """
        if not self.connected:
            raise LostError("the connection is lost")
        names = [channel.encode() for channel in channels]
        confirmed: Deferred[None] = Deferred()
        self._subscribing.setdefault(names[-1], deque()).append(confirmed)
        self._send(b"SUBSCRIBE", *names)
        return confirmed

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Stop hearing channels."""
        self._send(b"UNSUBSCRIBE", *(channel.encode() for channel in channels))

    def replied(self, reply: Reply) -> None:
        """Take a push, a confirmation, or the reply to a command."""
        if type(reply) is not list:
            super().replied(reply)
        elif reply[0] == b"message":
            self.on_push(reply[1], reply[2])
        elif reply[0] == b"subscribe" and self._subscribing.get(reply[1]):
            self._subscribing[reply[1]].popleft().callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report the loss, and fail all subscriptions without a confirmation."""
        super().connectionLost(reason)
        subscribing, self._subscribing = self._subscribing, {}
        for waiting in subscribing.values():
            for each in waiting:
                each.errback(LostError("the connection is lost"))


async def all_of(waiting: Iterable[Deferred[Any]]) -> list[Any]:
    """Wait for all answers, and return them; if some fail, raise the first failure."""
    try:
        return await gatherResults(waiting, consumeErrors=True)
    except FirstError as error:
        raise error.subFailure.value from error  # type: ignore[misc]  # it has a value


def reason_of(failure: Failure) -> str:
    """Return why a connection was lost, or not made, in one line without a full stop."""
    error = failure.value
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        reasons = [each[-1] for each in error.args[0]]  # library, function, reason
        return f"TLS failed: {', '.join(reasons) or 'no reason given'}"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _ignore(*arguments: object) -> None:
    pass
