"""Links: how the client without a terminal reaches its server, for one session or for many."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, cast

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from chatd.cli.console import ConsoleClient, ConsoleFactory
from chatd.client.milestone import Milestone
from chatd.client.service import ChatClientService
from chatd.errors import ConfigurationError, ErrorCode, SessionEnded
from chatd.transport.timer import Timer
from chatd.wire.messages import Message

__all__ = ["RETRY_POLICY", "LastingLink", "Link", "SingleLink"]

T = TypeVar("T")

RETRY_POLICY = backoffPolicy(initialDelay=1.0, maxDelay=30.0)
"""Returns the seconds before attempt n to connect again, without a terminal and at one."""
PATIENCE_S = 600
"""Time that a lasting link waits for the next receipt before it gives up, in seconds."""


class Link(Protocol):
    """The way to a server."""

    @property
    def end(self) -> SessionEnded | ConfigurationError | None:
        """Why nothing more can be sent; None as long as the link works."""

    async def open(self) -> ConsoleClient:
        """Connect, and wait for the session.

        Returns:
            The client of the first session.

        Raises:
            SessionEnded: The session could not be established.
            twisted.internet.error.ConnectError: No server listens there.
        """

    def send(self, content: bytes, *, id: str, room: str | None) -> Deferred[Message]:
        """Send a message; see `ChatClient.send`."""

    def when_over(self) -> Deferred[Any]:
        """Return a Deferred that fires when nothing more can be sent."""

    async def close(self) -> None:
        """Say goodbye, and wait until the connection is closed."""


class SingleLink:
    """A link of one session.

    Args:
        endpoint: The endpoint to connect to.
        factory: Builds the client.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, factory: ConsoleFactory) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._client: ConsoleClient | None = None

    @property
    def end(self) -> SessionEnded | None:
        """The reason of the session's end."""
        return None if self._client is None else self._client.connection.end_reason

    async def open(self) -> ConsoleClient:
        """Connect, and wait for the session; see `Link`."""
        self._client = cast(ConsoleClient, await self._endpoint.connect(self._factory))
        await self._client.when_established()
        return self._client

    def send(self, content: bytes, *, id: str, room: str | None) -> Deferred[Message]:
        """Send a message; see `ChatClient.send`."""
        assert self._client is not None
        return self._client.send(content, id=id, room=room)

    def when_over(self) -> Deferred[Any]:
        """Return a Deferred that fires when the session has ended."""
        assert self._client is not None
        return self._client.when_ended()

    async def close(self) -> None:
        """Say goodbye, and wait until the connection is closed."""
        if self._client is not None:
            await self._client.disconnect()


class LastingLink:
    """A link that reconnects, and goes on where the last session ended.

    It gives up if the server does not want the client back, and if messages wait for their receipts
    and none comes for `PATIENCE_S`.

    Args:
        reactor: The reactor.
        endpoint: The endpoint to connect to.
        factory: Builds the clients.

    Attributes:
        end: Why the link gave up; None as long as it works.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: IStreamClientEndpoint,
        factory: ConsoleFactory,
    ) -> None:
        self._service = ChatClientService(
            reactor, endpoint, factory, RETRY_POLICY, patience_s=PATIENCE_S
        )
        self._waiting = 0
        self._deadline = Timer(reactor)
        self._over: Milestone[Any] = Milestone()
        self.end: SessionEnded | ConfigurationError | None = None

    async def open(self) -> ConsoleClient:
        """Connect, and wait for the first session; see `Link`."""
        self._service.startService()
        client = await self._service.whenConnected(failAfterFailures=1)
        self._service.when_given_up().addCallback(self._give_up)
        return client

    def send(self, content: bytes, *, id: str, room: str | None) -> Deferred[Message]:
        """Send a message, at once or as soon as there is a session."""
        receipt = self._service.send(content, id=id, room=room)
        self._waiting += 1
        if not self._deadline.is_running:
            self._deadline.start(PATIENCE_S, self._lose_patience)
        return receipt.addBoth(self._answered)

    def when_over(self) -> Deferred[Any]:
        """Return a Deferred that fires when the link gives up."""
        return self._over.wait()

    async def close(self) -> None:
        """Say goodbye, and stop reconnecting."""
        self._deadline.stop()
        await self._service.stopService()

    def _answered(self, answer: T) -> T:
        self._waiting -= 1
        if not self._waiting:
            self._deadline.stop()
        elif self._deadline.is_running:
            self._deadline.start(PATIENCE_S, self._lose_patience)
        return answer

    def _lose_patience(self) -> None:
        minutes = f"{PATIENCE_S // 60} minutes"
        why = f"the server has confirmed nothing for {minutes}"
        self._give_up(SessionEnded(ErrorCode.CONNECTION_LOST, why))

    def _give_up(self, end: SessionEnded | ConfigurationError) -> None:
        self.end = end
        self._over.reach(lambda: None)
