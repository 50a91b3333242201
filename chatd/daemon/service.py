"""`ChatService`: the daemon, as a service of Twisted's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    maybeDeferred,
)
from twisted.logger import Logger

from chatd.config.banfile import BanFile
from chatd.daemon.settings import DEFAULT_ENDPOINT
from chatd.daemon.signals import SignalService
from chatd.daemon.store import KeepingService
from chatd.errors import StartupError
from chatd.listening.certificates import Certificates
from chatd.listening.endpoints import server_endpoint
from chatd.listening.service import ListeningService
from chatd.server.factory import GRACE_S, ChatFactory

__all__ = ["ChatService"]

HURRY_S = 1.0
"""How long a store may take to close where nobody is waited for, in seconds."""


class ChatService(MultiService):
    """The daemon: listens on its endpoints, and says goodbye to everyone when it stops.

    Args:
        reactor: The reactor.
        factory: What serves the connections.
        endpoints: Twisted server endpoint strings to listen on, or one such string.
        ban_file: Where bans are kept; None where they are the factory's own.
        socket_mode: The mode of UNIX sockets whose endpoint says none; None for 666.
        grace_s: How long saying goodbye to everyone may take, in seconds.
        reload: Called at SIGHUP; with it, the service also stops at once where it is told to stop
            a second time. None where signals are the program's.
        finish: Called when nobody can connect any more: the peer on `stdio:`, the only endpoint,
            has gone, and all it said is stored. None where the program goes on all the same.

    Raises:
        ConfigurationError: One of `endpoints` is no server endpoint string.

    Attributes:
        factory: What serves the connections.
        listeners: What listens, in the order of `endpoints`.
        certificates: Goes through those of its TLS endpoints; see `Certificates`.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        factory: ChatFactory,
        endpoints: Sequence[str] | str = DEFAULT_ENDPOINT,
        *,
        ban_file: BanFile | None = None,
        socket_mode: int | None = None,
        grace_s: float = GRACE_S,
        reload: Callable[[], None] | None = None,
        finish: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._finish = finish
        self._reactor = reactor
        self._grace_s = grace_s
        self._closing: Deferred[None] | None = None
        self._is_hurried = False
        descriptions = [endpoints] if isinstance(endpoints, str) else endpoints
        self.factory = factory
        self.certificates = Certificates()
        self.listeners = tuple(
            ListeningService(
                reactor,
                description,
                server_endpoint(reactor, description, socket_mode, self.certificates),
                factory,
                self._note_end,
            )
            for description in descriptions
        )
        # Not among the services within: they are stopped after them.
        self._signals = Service() if reload is None else SignalService(reactor, reload, self.hurry)
        self._keeping = KeepingService(reactor, factory, ban_file)
        for listener in self.listeners:
            listener.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Take signals, and listen, before the daemon gives up its privileges.

        Raises:
            StartupError: A port cannot be bound.
        """
        with self._all_or_nothing():
            self._signals.startService()  # before anyone can know that it is there
            super().privilegedStartService()

    def startService(self) -> None:
        """Open the store; listen and take signals if that was not done with privileges.

        Raises:
            StartupError: The store cannot be opened, or a port cannot be bound.
        """
        with self._all_or_nothing():
            if not self._signals.running:
                self._signals.startService()
            self._keeping.startService()
            super().startService()

    def _note_end(self) -> None:
        """Finish, where nobody can connect any more."""
        if self._finish is not None and all(listener.has_ended for listener in self.listeners):
            if isinstance(self._signals, SignalService):
                self._signals.note_stopping()
            self._finish()

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Let go of what was taken where the rest cannot be had."""
        try:
            yield
        except StartupError:
            for listener in self.listeners:
                listener.abandon()
            self._signals.stopService()
            raise

    def stopService(self) -> Deferred[None]:
        """Stop listening, tell every client, wait until they are gone, and close the store.

        Returns:
            A Deferred that fires with None when all of that is done.
        """
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))

    async def _stop(self, stopped_listening: Deferred[Any]) -> None:
        """Take each step, whatever became of the one before."""
        try:
            await stopped_listening
        finally:
            try:
                await self.factory.shut_down(self._grace_s)
            finally:
                await self._close_store()
                self._signals.stopService()

    async def _close_store(self) -> None:
        """Wait until the store is closed, or for no longer than the grace, or until told again."""
        self._closing = self._keeping.stopService()
        wait_s = HURRY_S if self._is_hurried else max(self._grace_s, HURRY_S)
        self._is_hurried = False
        try:
            await self._closing.addTimeout(wait_s, self._reactor)
        except (CancelledError, TimeoutError):
            self.log.error("the store does not close; what was confirmed is in it")

    def hurry(self) -> None:
        """Wait for nobody any more, where it is stopping: neither for clients nor for the store."""
        self._is_hurried = True
        closing = self._closing
        self.factory.cut_off()  # it may begin to close the store, which then has its second
        if closing is not None:
            closing.cancel()
