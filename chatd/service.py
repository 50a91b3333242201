"""The one place where the parts of the daemon are put together: options in, one service out."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.moderation import Bans
from chatd.chat.policy import Policy
from chatd.errors import ConfigurationError, StartupError, StoreError
from chatd.keyfile import load_key
from chatd.net.accounts import Accounts, PasswordFileChecker
from chatd.net.endpoints import server_endpoint
from chatd.net.factory import HEARTBEAT_S, ChatFactory
from chatd.net.hooks import wait
from chatd.storage.bans import BanFile
from chatd.storage.interface import IMessageStore, Retention
from chatd.storage.memory import MEMORY_RETENTION, MemoryStore
from chatd.storage.sqlite import SQLITE_RETENTION, Durability, SqliteStore, StoreThread
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["DEFAULT_ENDPOINT", "ChatService", "ListeningService", "Settings", "make_service"]

DEFAULT_ENDPOINT = "tcp:9999:interface=localhost"
EXPIRY_INTERVAL_S = 60.0
"""Seconds between two looks for what has become too old to be kept."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides.

    Attributes:
        endpoints: Twisted server endpoint strings to listen on.
        key_file: Path of the key file, or None for no key.
        heartbeat_s: Seconds between two pings.
        max_content: Longest content of a message, in bytes.
        data: The directory in which what is said and who is banned is kept; None for memory.
        durability: What a power cut may cost, with `data`.
        keep: How much of each room is kept; None for the store's own measure.
        policy: What else is decided of the chat.
        password_file: Path of a password file, or None.
        checkers: What else checks who logs in. Without these and a password file nobody need.
    """

    endpoints: Sequence[str] = (DEFAULT_ENDPOINT,)
    key_file: str | Path | None = None
    heartbeat_s: float = HEARTBEAT_S
    max_content: int = MAX_CONTENT
    data: str | Path | None = None
    durability: Durability = Durability.FULL
    keep: Retention | None = None
    policy: Policy = field(default_factory=Policy)
    password_file: str | Path | None = None
    checkers: Sequence[ICredentialsChecker] = ()


class ListeningService(Service):
    """Listens on one endpoint; a port that cannot be bound ends the daemon.

    Args:
        description: The endpoint as the operator gave it.
        endpoint: The endpoint.
        factory: What serves its connections.
    """

    log = Logger()

    def __init__(
        self, description: str, endpoint: IStreamServerEndpoint, factory: ChatFactory
    ) -> None:
        self._description = description
        self._endpoint = endpoint
        self._factory = factory
        self._port: IListeningPort | None = None
        self._listening: Deferred[None] | None = None

    @property
    def port(self) -> IListeningPort:
        """The port that is listened on, once it is."""
        assert self._port is not None, "the service is not listening"
        return self._port

    def privilegedStartService(self) -> None:
        """Listen, before the daemon gives up its privileges.

        Raises:
            StartupError: The port cannot be bound.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """Listen, if that was not done with privileges.

        Raises:
            StartupError: The port cannot be bound.
        """
        super().startService()
        if self._listening is None:
            self._listen()

    def stopService(self) -> Deferred[None]:
        """Stop listening.

        Returns:
            A Deferred that fires with None when the port is closed.
        """
        super().stopService()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        port, self._port = self._port, None
        # What `stdio:` gives is no port: there is nothing to close.
        stop = getattr(port, "stopListening", None)
        stopped: Deferred[None] | None = None if stop is None else stop()
        return succeed(None) if stopped is None else stopped

    def abandon(self) -> None:
        """Let go of the port now: the reactor will not run to close it in its own time."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        port, self._port = self._port, None
        lose = getattr(port, "connectionLost", None)  # what the reactor would call in a moment
        if lose is not None:
            lose(Failure(ConnectionDone()))

    def _listen(self) -> None:
        failures: list[Failure] = []
        is_starting = True

        def failed(failure: Failure) -> None:
            if is_starting:
                failures.append(failure)
            elif not failure.check(CancelledError):
                self.log.failure("cannot listen on {where}", failure, where=self._description)

        self._listening = self._endpoint.listen(self._factory).addCallbacks(self._listens, failed)
        is_starting = False
        if failures:
            reason = failures[0].value
            assert reason is not None
            raise StartupError(
                f"chatd: cannot listen on {self._description}: {_why(reason)}"
            ) from reason

    def _listens(self, port: IListeningPort) -> None:
        self._port = port
        host = port.getHost() if hasattr(port, "getHost") else None
        self.log.info("listening on {endpoint} ({host})", endpoint=self._description, host=host)
        if not self._factory.has_key and _is_beyond_the_machine(getattr(host, "host", None)):
            self.log.warn(
                "{endpoint} is open beyond this machine and there is no key: anyone can connect "
                "and listen in; make a key with 'chatd keygen PATH' and give it with --key-file",
                endpoint=self._description,
            )


class KeepingService(Service):
    """Opens what keeps what is said, and drops what is too old now and then.

    Args:
        clock: What tells the time.
        factory: Whose store it is.
        ban_file: Where bans are kept; None where they are the factory's own.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, factory: ChatFactory, ban_file: BanFile | None) -> None:
        self._factory = factory
        self._ban_file = ban_file
        self._loop = LoopingCall(self._expire)
        self._loop.clock = clock

    def startService(self) -> None:
        """Open the store.

        Raises:
            StartupError: It cannot be opened.
        """
        try:
            if self._ban_file is not None:
                self._factory.bans.replace(self._ban_file.load())
            self._factory.store.open()
        except ConfigurationError as error:
            raise StartupError(f"chatd: {error}") from error
        super().startService()
        self._loop.start(EXPIRY_INTERVAL_S)

    def stopService(self) -> Deferred[None]:
        """Close the store, when nobody uses it any more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(wait(self._factory.store.close()))

    async def _expire(self) -> None:
        try:
            await self._factory.store.expire()
        except StoreError as error:
            self._factory.note_store_failure(error)
        except Exception:  # of a store of whatever make: the loop goes on
            self.log.failure("the store failed to drop what is too old")


class ChatService(MultiService):
    """The daemon: listens on its endpoints, and says goodbye to everyone when it stops.

    Args:
        reactor: The reactor.
        factory: What serves the connections.
        endpoints: Twisted server endpoint strings to listen on, or one such string.
        ban_file: Where bans are kept; None where they are the factory's own.

    Raises:
        ConfigurationError: One of `endpoints` is no server endpoint string.

    Attributes:
        factory: What serves the connections.
        listeners: What listens, in the order of `endpoints`.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        factory: ChatFactory,
        endpoints: Sequence[str] | str = DEFAULT_ENDPOINT,
        *,
        ban_file: BanFile | None = None,
    ) -> None:
        super().__init__()
        descriptions = [endpoints] if isinstance(endpoints, str) else endpoints
        self.factory = factory
        self.listeners = tuple(
            ListeningService(description, server_endpoint(reactor, description), factory)
            for description in descriptions
        )
        # Not one of the services within: it is started before them, and stopped after them.
        self._keeping = KeepingService(reactor, factory, ban_file)
        for listener in self.listeners:
            listener.setServiceParent(self)

    def startService(self) -> None:
        """Open the store, and listen if that was not done with privileges.

        Raises:
            StartupError: The store cannot be opened, or a port cannot be bound.
        """
        try:
            self._keeping.startService()
        except StartupError:
            for listener in self.listeners:  # which may have been bound with privileges
                listener.abandon()
            raise
        super().startService()

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
                await self.factory.shut_down()
            finally:
                await self._keeping.stopService()


def make_service(
    reactor: Any,  # noqa: ANN401
    settings: Settings,
    factory_class: type[ChatFactory] = ChatFactory,
) -> ChatService:
    """Put a daemon together.

    Args:
        reactor: The reactor.
        settings: What the operator decided.
        factory_class: What serves the connections: `ChatFactory` or a subclass of the same
            arguments.

    Raises:
        ConfigurationError: An endpoint string or the key file is wrong.
    """
    key = None if settings.key_file is None else load_key(settings.key_file)
    store, ban_file = _keepers(reactor, settings)
    factory = factory_class(
        reactor,
        key=key,
        heartbeat_s=settings.heartbeat_s,
        max_content=settings.max_content,
        store=store,
        accounts=_accounts(reactor, settings),
        bans=Bans(save=ban_file.save, unix_time=time.time),
        policy=settings.policy,
    )
    return ChatService(reactor, factory, settings.endpoints, ban_file=ban_file)


def _keepers(reactor: Any, settings: Settings) -> tuple[IMessageStore, BanFile]:  # noqa: ANN401
    """Make what keeps what is said, and what keeps the bans."""
    if settings.data is None:
        return MemoryStore(settings.keep or MEMORY_RETENTION), BanFile(None)
    data = Path(os.path.abspath(settings.data))  # a daemon changes its directory
    store = SqliteStore(
        data,
        settings.keep or SQLITE_RETENTION,
        durability=settings.durability,
        run=StoreThread(reactor),
    )
    return store, BanFile(data / "bans.json")


def _accounts(reactor: Any, settings: Settings) -> Accounts | None:  # noqa: ANN401
    """Make what decides who may log in; None where nobody need."""
    checkers = list(settings.checkers)
    if settings.password_file is not None:
        in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        checkers.insert(0, PasswordFileChecker(os.path.abspath(settings.password_file), in_thread))
    return Accounts(reactor, checkers) if checkers else None


def _is_beyond_the_machine(host: str | None) -> bool:
    """Whether an address that is listened on can be reached from elsewhere."""
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _why(reason: BaseException) -> str:
    """Say in a few words why something failed."""
    cause = getattr(reason, "socketError", reason)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
