"""`ChatClientService`: keeps a client connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.arguments import check_initialised, check_number, check_reactor, check_type, wrong_type
from chatd.client.attempts import Attempts
from chatd.client.backlog import maybe_stored, without_receipt
from chatd.client.client import ClientT
from chatd.client.endpoints import client_endpoint
from chatd.client.factory import ChatClientFactory
from chatd.client.milestone import Milestone
from chatd.client.outage import PATIENCE_S
from chatd.client.sending import Sending
from chatd.client.servicestates import (
    Connected,
    Connecting,
    GivenUp,
    NotStarted,
    ServiceState,
    Stopped,
    Waiting,
    check_follows,
)
from chatd.errors import ConfigurationError, ErrorCode, SessionEnded
from chatd.transport.eventloop import check_loop, check_runs, stop_at_end
from chatd.transport.promise import Promise, fail_ended, promised
from chatd.transport.timer import Timer
from chatd.wire.messages import Message

__all__ = ["ChatClientService"]

_STOPPED_TEXT = "the service is stopped: stopService() was called"
_STOPPED = SessionEnded(ErrorCode.GOODBYE, _STOPPED_TEXT)


class ChatClientService(Service, Sending, Generic[ClientT]):
    """Keeps a client connected: reconnects, with backoff, whenever the connection is lost.

    Use it like `twisted.application.internet.ClientService`. Here an attempt succeeds only when the
    session is established: a `ClientService` fails if a connection is lost while it is prepared.
    `ChatClientFactory` works with a `ClientService` too; then await `when_established`.

    Each session continues where the last session ended: the client takes its name again, rejoins
    its rooms, gets the messages that it missed, and sends messages without a receipt again. So the
    Deferreds of `send`, here and of the client, wait for the next session if a session is lost. If
    the server cannot store messages, they wait for it, a minute at most; see `messages_held` of the
    client.
    Iterate the service for the messages of others, across sessions::

        async for message in service:
            print(message.sender, message.text)

    As with a `ChatClient`, the body of the loop may await anything, and messages beyond 8 MiB wait
    at the server until the program catches up. `gaps` rises if the server deletes them before.

    The service does not reconnect if the server ends a session without inviting the client back, or
    if an attempt fails with a `ConfigurationError`, or if the server refuses the client finally. A
    taken name is not final: an old session may still hold it.

    Before the start, messages wait; 5 seconds later, the log warns of a start that was forgotten.
    The log warns of each lost session, and of the first failed attempt to connect after it. It
    tells of further attempts at the level `info`.

    Args:
        reactor: The reactor.
        endpoint: An endpoint, or a string such as `tcp:localhost:9999` or
            `wss://chat.example.org/ws`.
        factory: Builds the clients.
        retry_policy: Returns the seconds to wait before attempt n; Twisted's `backoffPolicy` if
            None, whose delays grow from about a second to about a minute. Attempts are counted
            anew only after a session of 10 seconds or more.
        patience_s: How long messages wait, in seconds, while the server stores none; see
            `messages_held` of the client.

    Attributes:
        client: The client of the latest connection, or None; see its `is_active`.

    Raises:
        ConfigurationError: The endpoint is invalid, or `patience_s` is below 0.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str | IStreamClientEndpoint,
        factory: ChatClientFactory[ClientT],
        retry_policy: Callable[[int], float] | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        wanted = "a ChatClientFactory, such as ChatClientFactory(reactor)"
        check_type("the factory", factory, ChatClientFactory, wanted)
        check_reactor("the reactor", reactor)
        if retry_policy is not None and not callable(retry_policy):
            raise wrong_type("retry_policy", retry_policy, "a function that returns seconds")
        check_number("patience_s", patience_s)
        if not patience_s >= 0:
            raise ConfigurationError(f"patience_s must be 0 or more, not {patience_s}")
        factory.check_initialised()
        factory.progress.patience_s = patience_s
        self.client: ClientT | None = None
        self._reactor = reactor
        self._endpoint = client_endpoint(reactor, endpoint)
        self._factory = factory
        factory.progress.be_kept()
        self._retry_policy = retry_policy or backoffPolicy()
        self._state: ServiceState = NotStarted(Timer(reactor))
        self._attempts = Attempts(self._retry_policy)
        self._forget_end: Callable[[], None] = lambda: None
        self._waiters: list[tuple[Deferred[ClientT], int | None]] = []
        self._gave_up: Milestone[SessionEnded | ConfigurationError] = Milestone()

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[ClientT]:
        """Wait for a client whose session is active.

        Args:
            failAfterFailures: Number of failed attempts after which to stop waiting; None for no
                limit.

        Returns:
            A Deferred that fires with the client. It fails with the last attempt's error after
            `failAfterFailures` attempts, with `SessionEnded` if the server does not want the client
            back, with `ConfigurationError` if no attempt can succeed, and with
            `twisted.internet.defer.CancelledError` if the service stops first or has stopped.
        """
        check_loop(self._reactor)
        state, client = self._state, self.client
        if isinstance(state, Connected) and client is not None and client.is_active:
            return succeed(client)
        if isinstance(state, GivenUp):
            return fail(state.again())
        if isinstance(state, Stopped):
            return fail(CancelledError(_STOPPED_TEXT))
        self._remind_of_start()
        waiting: Deferred[ClientT] = Promise()
        self._waiters.append((waiting, failAfterFailures))
        return waiting

    def when_given_up(self) -> Deferred[SessionEnded | ConfigurationError]:
        """Wait until the service gives up; it stays running, and no longer acts.

        A program that only runs for the service can stop then, so that its supervisor sees it.

        Returns:
            A Deferred that fires with the reason, which is that the server does not want the client
            back, or that no attempt can succeed. It does not fire if the service is stopped before.
        """
        return self._gave_up.wait()

    def send_message(self, message: Message) -> Deferred[Message]:
        """Send a MESSAGE that `Message.chat` made, at once or as soon as there is a session.

        At most 10,000 messages wait for a session or their receipts. To send many, or for a long
        time without a session, await `when_ready_to_send` before each.

        Returns:
            See `send`.

        Raises:
            LocalProtocolError: See `send`.
        """
        check_loop(self._reactor)
        if isinstance(self._state, GivenUp):
            return fail(self._state.again())
        if isinstance(self._state, Stopped):
            return fail_ended(Promise(), _STOPPED.again())
        client = self.client
        if client is not None and client.is_active:
            return client.send_message(message)
        self._remind_of_start()
        return self._factory.progress.keep(message)

    def _usual_room(self) -> str | None:
        """See `Sending._usual_room`; the next session may begin with another room."""
        return None if self.client is None else self.client.room

    def when_ready_to_send(self) -> Deferred[None]:
        """Wait until fewer than 5,000 messages wait for a session or their receipts.

        Returns:
            A Deferred that fires with None. It fails with the reason if the service gives up, and
            with `SessionEnded` if it is stopped.
        """
        if isinstance(self._state, GivenUp):
            return fail(self._state.again())
        return self._factory.progress.backlog.wait()

    @property
    def gaps(self) -> int:
        """How often messages were missed; see `ChatClient.messages_missed`."""
        return self._factory.progress.gaps

    def __aiter__(self) -> ChatClientService[ClientT]:
        """Iterate over the messages of others; all loops over a service share its messages.

        Each message reaches only one of the loops.
        """
        return self

    async def __anext__(self) -> Message:
        """Return the next message of others, and wait until there is one, across sessions.

        Raises:
            StopAsyncIteration: The service was stopped.
            SessionEnded: The service has given up.
        """
        inbox = self._factory.progress.inbox
        assert inbox is not None
        self._remind_of_start()
        return await inbox.take()

    def startService(self) -> None:
        """Connect.

        Raises:
            LocalProtocolError: asyncio runs, and the reactor does not run in its event loop.
        """
        check_initialised(self, "_gave_up", "reactor, endpoint, factory")
        check_runs(self._reactor)
        if not self.running:
            super().startService()
            self._forget_end = stop_at_end(self._reactor, self.stopService)
            self._factory.progress.be_kept()
            self._attempts = Attempts(self._retry_policy)
            if self._gave_up.is_reached:
                self._gave_up = Milestone()
            self._connect()

    def stopService(self) -> Deferred[None]:
        """Say goodbye, and stop reconnecting.

        Messages that were sent get their receipts first, which takes up to 5 seconds, and closing
        the connection up to 5 more; see `ChatClient.disconnect`. A message that waits for a session
        fails with `SessionEnded`.

        Returns:
            A Deferred that fires with None when the connection is closed.
        """
        super().stopService()
        self._forget_end()
        self._forget_end = lambda: None
        if not isinstance(self._state, GivenUp):
            self._enter(Stopped())
        for waiter in self._take_waiters():
            waiter.errback(CancelledError(_STOPPED_TEXT))
        gone: Deferred[Any] = succeed(None) if self.client is None else self.client.disconnect()
        return promised(gone.addCallback(lambda _: self._gone()))

    def _remind_of_start(self) -> None:
        """If the program forgets the start, say so in the log: a caller waits for a session."""
        if isinstance(self._state, NotStarted):
            told = "a caller waits for a session, and the service was never started: call "
            self._state.remind_later(lambda: self.log.warn(told + "startService()"))

    def _gone(self) -> None:
        if not self.running:  # otherwise it was started again
            self._close("the service stopped", _STOPPED)

    def _enter(self, state: ServiceState) -> None:
        check_follows(self._state, state)
        left, self._state = self._state, state
        left.leave()  # last: the callbacks of the cancelled attempt must find the new state

    def _connect(self) -> None:
        connecting = Connecting(Deferred())
        self._enter(connecting)
        attempt = connecting.attempt
        attempt.addCallback(lambda _: self._endpoint.connect(self._factory))
        attempt.addCallback(self._connected)
        attempt.addCallbacks(
            self._established, self._failed, callbackArgs=(connecting,), errbackArgs=(connecting,)
        )
        attempt.callback(None)

    def _connected(self, client: ClientT) -> Deferred[ClientT]:
        self.client = client
        return client.when_established()

    def _established(self, client: ClientT, connecting: Connecting) -> None:
        connected = Connected(client, self._reactor.seconds())
        self._enter(connected)
        self._attempts.established()
        self.log.info("connected as {name}", name=client.name)
        client.when_ended().addCallback(self._lost, connected)
        for waiter in self._take_waiters():
            waiter.callback(client)

    def _lost(self, end: SessionEnded, connected: Connected) -> None:
        if self._state is not connected:  # the service was stopped
            return
        self.log.warn("the session ended: {reason}", reason=end)
        if self._attempts.may_follow(end, self._reactor.seconds() - connected.since):
            self._wait_to_retry()
        else:
            self._give_up(end)

    def _failed(self, failure: Failure, connecting: Connecting) -> None:
        if self._state is not connecting:  # the service was stopped
            return
        error: Any = failure.value
        tell = self.log.warn if self._attempts.tell_first() else self.log.info
        tell("{line}", line=self._endpoint.explain(error))
        if not self._attempts.may_follow_failure(error):
            self._give_up(error)
            return
        waiters = [(waiter, left and left - 1) for waiter, left in self._waiters]
        self._waiters = [(waiter, left) for waiter, left in waiters if left != 0]
        self._wait_to_retry()  # before the errbacks: one of them may stop the service
        for waiter, left in waiters:
            if left == 0:
                waiter.errback(failure)

    def _wait_to_retry(self) -> None:
        delay_s = self._attempts.next_delay_s()
        self.log.info("reconnecting in {delay:.1f} s", delay=delay_s)
        self._enter(Waiting(self._reactor.callLater(delay_s, self._connect)))

    def _give_up(self, end: SessionEnded | ConfigurationError) -> None:
        """Stop reconnecting: the server refuses this client, or no attempt can succeed."""
        given_up = GivenUp(end)
        self._enter(given_up)
        self.log.error("will not reconnect: {reason}", reason=end)
        for waiter in self._take_waiters():
            waiter.errback(end)
        if not isinstance(end, SessionEnded):
            end = SessionEnded(ErrorCode.CONNECTION_LOST, str(end))
        self._close("the service gave up", end)
        self._gave_up.reach(given_up.again)

    def _close(self, why: str, end: SessionEnded) -> None:
        """Report the messages that no further session will send or fetch."""
        if self.client is not None:  # without a client, no message has come
            self.client.fetch_no_more()
        progress = self._factory.progress
        if progress.unconfirmed:
            lost = without_receipt(len(progress.unconfirmed))
            self.log.warn("{why}: {lost}", why=why, lost=lost)
            end = maybe_stored(end) if progress.was_connected else end
        progress.close(end)

    def _take_waiters(self) -> list[Deferred[ClientT]]:
        waiters, self._waiters = self._waiters, []
        return [waiter for waiter, _ in waiters]
