"""The one place where the parts of the daemon are put together: options in, one service out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredLock,
    TimeoutError,
    maybeDeferred,
)
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from chatd.chat.moderation import Ban, Bans
from chatd.chat.policy import Policy
from chatd.config.banfile import BanFile
from chatd.config.keyfile import load_key
from chatd.config.operatorfile import load_operators
from chatd.config.ownfile import absolute_path
from chatd.daemon.memory import MemoryService
from chatd.daemon.process import DescriptorService
from chatd.daemon.reloading import Reloading
from chatd.daemon.rereading import RereadingService
from chatd.daemon.signals import SignalService
from chatd.errors import ConfigurationError, StartupError, StoreError
from chatd.listening.certificates import Certificates
from chatd.listening.endpoints import server_endpoint
from chatd.listening.service import ListeningService
from chatd.server.accounts import Accounts, PasswordFileChecker
from chatd.server.attempts import BURST as LOGINS_PER_MINUTE
from chatd.server.attempts import Attempts
from chatd.server.factory import GRACE_S, HEARTBEAT_S, ChatFactory
from chatd.server.limits import Limits
from chatd.storage.interface import IMessageStore, Retention
from chatd.storage.memory import MEMORY_RETENTION, MemoryStore
from chatd.storage.sqlite.store import (
    SQLITE_RETENTION,
    Durability,
    SqliteStore,
    StoreRunner,
    StoreThread,
)
from chatd.transport.clock import looping_call
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["DEFAULT_ENDPOINT", "ChatService", "Settings", "make_service"]

DEFAULT_ENDPOINT = "tcp:9999:interface=localhost"
HURRY_S = 1.0
"""How long a store may take to close where nobody is waited for, in seconds."""
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
        limits: What peers may take of the server.
        logins_per_minute: How often each address may try a password in a minute; as often at once.
        operator_file: Path of a file with names of those who may kick and ban, or None.
        socket_mode: The mode of UNIX sockets whose endpoint says none; None for 666.
        grace_s: How long saying goodbye to everyone may take, in seconds.
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
    limits: Limits = field(default_factory=Limits)
    logins_per_minute: int = LOGINS_PER_MINUTE
    operator_file: str | Path | None = None
    socket_mode: int | None = None
    grace_s: float = GRACE_S


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
        self._loop = looping_call(clock, self._expire)

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
        """Wait until bans are saved, and close the store, when nobody uses it any more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._factory.bans.finish_saving()
        await self._factory.store.close()

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
        self.factory.cut_off()
        if self._closing is not None:
            self._closing.cancel()


def make_service(
    reactor: Any,  # noqa: ANN401
    settings: Settings,
    factory_class: type[ChatFactory] = ChatFactory,
    reopen_log: Callable[[], None] | None = None,
) -> ChatService:
    """Put a daemon together.

    Args:
        reactor: The reactor.
        settings: What the operator decided.
        factory_class: What serves the connections: `ChatFactory` or a subclass of the same
            arguments.
        reopen_log: Opens the log file anew, at SIGHUP; None where the log is no file.

    Raises:
        ConfigurationError: An endpoint string or the key file is wrong.
    """
    run = StoreThread(reactor)
    store, ban_file = _keepers(settings, run)
    passwords = _password_checker(reactor, settings)
    accounts = _accounts(reactor, settings, passwords)
    listed = _operator_reader(settings)
    operators = settings.policy.operators
    factory = factory_class(
        reactor,
        key=None if settings.key_file is None else load_key(settings.key_file),
        heartbeat_s=settings.heartbeat_s,
        max_content=settings.max_content,
        store=store,
        accounts=accounts,
        bans=Bans(save=_saving(ban_file, run), lock=DeferredLock(), unix_time=time.time),
        policy=replace(settings.policy, operators=(*operators, *listed())),
        limits=settings.limits,
    )
    reloading = Reloading()
    reads: dict[str, Callable[[], object]] = {}
    if reopen_log is not None:  # first, so that the new log has the rest
        reloading.add("log", reopen_log, done="opened anew")
    if settings.key_file is not None:
        reads["key file"] = read_key = partial(load_key, absolute_path(settings.key_file))
        reloading.add("key file", lambda: factory.use_key(read_key()))
    if passwords is not None:
        reads["password file"] = passwords.reload
        reloading.add("password file", passwords.reload)
    if settings.operator_file is not None:
        reads["operators"] = listed
        reloading.add("operators", lambda: factory.operators.replace((*operators, *listed())))
    if settings.data is not None:
        reloading.add("bans", lambda: factory.bans.reload(ban_file.load))
    service = ChatService(
        reactor,
        factory,
        settings.endpoints,
        ban_file=ban_file,
        socket_mode=settings.socket_mode,
        grace_s=settings.grace_s,
        reload=reloading,
        finish=partial(_stop, reactor),
    )
    for endpoint, renew in service.certificates:
        reads[f"certificates of {endpoint}"] = renew
        reloading.add(f"certificates of {endpoint}", renew)
    needed = None if accounts is None else accounts.check_files
    RereadingService(reads, needed).setServiceParent(service)
    DescriptorService(reactor, settings.limits).setServiceParent(service)
    MemoryService(reactor, lambda: factory.connections.departures).setServiceParent(service)
    return service


def _stop(reactor: Any) -> None:  # noqa: ANN401
    """Stop the daemon, unless it is stopping already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _keepers(settings: Settings, run: StoreRunner) -> tuple[IMessageStore, BanFile]:
    """Make what keeps what is said, and what keeps the bans."""
    if settings.data is None:
        return MemoryStore(settings.keep or MEMORY_RETENTION), BanFile(None)
    data = Path(absolute_path(settings.data))
    store = SqliteStore(
        data,
        settings.keep or SQLITE_RETENTION,
        durability=settings.durability,
        run=run,
    )
    return store, BanFile(data / "bans.json")


def _saving(ban_file: BanFile, run: StoreRunner) -> Callable[[list[Ban]], Awaitable[None]]:
    """Return what saves bans in the store's thread, which is there as long as the store is open."""

    async def save(bans: list[Ban]) -> None:
        if ban_file.is_kept:
            await run(partial(ban_file.save, bans))

    return save


def _password_checker(reactor: Any, settings: Settings) -> PasswordFileChecker | None:  # noqa: ANN401
    """Make what checks passwords against the password file, if there is one."""
    if settings.password_file is None:
        return None
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    return PasswordFileChecker(absolute_path(settings.password_file), in_thread)


def _operator_reader(settings: Settings) -> Callable[[], tuple[str, ...]]:
    """Return what reads the names in the operator file; none where there is no file."""
    if settings.operator_file is None:
        return tuple
    return partial(load_operators, absolute_path(settings.operator_file))


def _accounts(
    reactor: Any,  # noqa: ANN401
    settings: Settings,
    passwords: PasswordFileChecker | None,
) -> Accounts | None:
    """Make what decides who may log in; None where nobody need."""
    checkers = [*([] if passwords is None else [passwords]), *settings.checkers]
    if not checkers:
        return None
    rate = settings.logins_per_minute
    return Accounts(reactor, checkers, attempts=Attempts(rate, 60.0 / rate))
