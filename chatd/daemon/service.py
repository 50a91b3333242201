"""`ChatService`: the daemon as a Twisted service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    TimeoutError,
    maybeDeferred,
)
from twisted.logger import Logger

from chatd.arguments import check_type
from chatd.config.banfile import BanFile
from chatd.daemon.keeping import KeepingService
from chatd.daemon.settings import DEFAULT_ENDPOINT
from chatd.daemon.signals import SignalService
from chatd.errors import StartupError
from chatd.listening.certificates import Certificates
from chatd.listening.endpoints import server_endpoint
from chatd.listening.service import ListeningService
from chatd.server.factory import GRACE_S, ChatFactory
from chatd.transport.eventloop import check_runs
from chatd.transport.promise import promised

if TYPE_CHECKING:
    from chatd.web.site import WebFront

__all__ = ["ChatService"]

HURRY_S = 1.0
"""Seconds that a store may take to close in a hurried stop."""


class ChatService(MultiService):
    """The daemon: listens on its endpoints, and says goodbye to all clients when it stops.

    Args:
        reactor: The reactor.
        factory: Serves the connections.
        endpoints: Twisted server endpoint strings to listen on, or one such string.
        ban_file: Keeps the bans; None if the factory keeps them.
        socket_mode: The mode of UNIX sockets whose endpoint gives none; None for 666.
        grace_s: How long saying goodbye may take, in seconds.
        reload: Called at SIGHUP. With it, a second signal to stop also ends all waiting. None if
            the program handles signals itself.
        finish: Called when clients can no longer connect: the client on `stdio:`, the only
            endpoint, has left, and its messages are stored. None if the program goes on.

    Raises:
        ConfigurationError: One of `endpoints` is not a server endpoint string.

    Attributes:
        factory: Serves the connections.
        listeners: The listening services, in the order of `endpoints`.
        certificates: The certificates of the TLS endpoints.
        gives_up_root: Whether the process gives up root's rights after `privilegedStartService`, as
            with `twistd --uid`. Then it must listen before, because only root can use some ports
            and directories, and open the store afterwards. Otherwise it opens the store first. By
            default, whether it has root's rights; change it before the start.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        factory: ChatFactory[Any],
        endpoints: Sequence[str] | str = DEFAULT_ENDPOINT,
        *,
        ban_file: BanFile | None = None,
        socket_mode: int | None = None,
        grace_s: float = GRACE_S,
        reload: Callable[[], None] | None = None,
        finish: Callable[[], None] | None = None,
    ) -> None:
        wanted = "a ChatFactory, such as ChatFactory(reactor)"
        check_type("the factory", factory, ChatFactory, wanted)
        factory.check_initialised()
        super().__init__()
        self._finish = finish
        self._reactor = reactor
        self._grace_s = grace_s
        self._closing: Deferred[None] | None = None
        self._is_hurried = False
        descriptions = [endpoints] if isinstance(endpoints, str) else endpoints
        check_type("endpoints", descriptions, Sequence, "an endpoint string or a list of them")
        self.factory = factory
        self.certificates = Certificates()
        self._room_makers = [factory.engine.shedder.make_room]
        self.listeners: tuple[ListeningService, ...] = ()
        self._ports = MultiService()
        self._socket_mode = socket_mode
        self._listen_on(descriptions)
        self.gives_up_root = os.geteuid() == 0
        # These and the ports are not child services: the ports open after the child services have
        # started, and the other two stop after the child services.
        self._signals = Service() if reload is None else SignalService(reactor, reload, self.hurry)
        self._keeping = KeepingService(reactor, factory, ban_file)

    def privilegedStartService(self) -> None:
        """Handle signals; listen if the daemon is about to give up root's rights.

        Raises:
            LocalProtocolError: asyncio runs, and the reactor does not run in its event loop.
            StartupError: A port cannot be bound.
        """
        with self._starting():
            self._signals.startService()  # before any client or script can see the daemon
            super().privilegedStartService()
            if self.gives_up_root:
                self._ports.privilegedStartService()

    def startService(self) -> None:
        """Open the store, start the child services, and listen: only a ready daemon has clients.

        Raises:
            LocalProtocolError: asyncio runs, and the reactor does not run in its event loop.
            StartupError: The store cannot be opened, or a port cannot be bound.
        """
        with self._starting():
            if not self._signals.running:
                self._signals.startService()
            self._keeping.startService()
            super().startService()
            self._ports.startService()

    def add_front(self, front: WebFront, endpoints: Sequence[str]) -> None:
        """Listen for browsers, too; call this before the start.

        Args:
            front: Serves the page, and the WebSockets of its sessions.
            endpoints: Twisted server endpoint strings to listen on.

        Raises:
            ConfigurationError: One of `endpoints` is not a server endpoint string.
        """
        self._room_makers.insert(0, front.make_room)
        self._listen_on(endpoints, front)

    def _listen_on(self, descriptions: Sequence[str], front: WebFront | None = None) -> None:
        """Add listening services for some endpoints."""
        for description in descriptions:
            listener = ListeningService(
                self._reactor,
                description,
                server_endpoint(self._reactor, description, self._socket_mode, self.certificates),
                self.factory,
                self._note_end,
                front=front,
                make_room=self._make_room,
            )
            listener.setServiceParent(self._ports)
            self.listeners = (*self.listeners, listener)

    def _make_room(self) -> bool:
        """Abort a connection without a session; return whether there was one."""
        return any(make_room() for make_room in self._room_makers)

    def _note_end(self) -> None:
        """Finish if clients can no longer connect."""
        if self._finish is not None and all(listener.has_ended for listener in self.listeners):
            if isinstance(self._signals, SignalService):
                self._signals.note_stopping()
            self._finish()

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Check the reactor; close the ports and give signals back if the start fails."""
        check_runs(self._reactor)
        try:
            yield
        except StartupError:
            for listener in self.listeners:
                listener.abandon()
            if self._keeping.running:  # the process may end before the store is closed
                self._keeping.stopService().addErrback(lambda _: None)
            self._signals.stopService()
            raise

    def stopService(self) -> Deferred[None]:
        """Stop listening, send all clients the goodbye, wait for their end, and close the store.

        Returns:
            A Deferred that fires with None when all of that is done.
        """
        stopped = DeferredList(
            [maybeDeferred(self._ports.stopService), maybeDeferred(super().stopService)]
        )
        return promised(Deferred.fromCoroutine(self._stop(stopped)))

    async def _stop(self, stopped: Deferred[Any]) -> None:
        """Take each step, also if an earlier step failed."""
        try:
            await stopped
        finally:
            try:
                await self.factory.shut_down(self._grace_s)
            finally:
                await self._close_store()
                self._signals.stopService()

    async def _close_store(self) -> None:
        """Wait until the store is closed, the grace is over, or the stop is hurried."""
        self._closing = self._keeping.stopService()
        wait_s = HURRY_S if self._is_hurried else max(self._grace_s, HURRY_S)
        self._is_hurried = False
        try:
            await self._closing.addTimeout(wait_s, self._reactor)
        except (CancelledError, TimeoutError):
            self.log.error("the store does not close, and the daemon ends without it")

    def hurry(self) -> None:
        """Stop waiting, for clients as well as for the store, if the daemon is stopping."""
        self._is_hurried = True
        closing = self._closing
        self.factory.cut_off()  # it may begin to close the store, which then has its second
        if closing is not None:
            closing.cancel()
