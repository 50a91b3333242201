"""`make_service`: assembles the parts of the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from twisted.internet.defer import DeferredLock
from twisted.internet.error import ReactorNotRunning
from twisted.internet.threads import deferToThreadPool

from chatd.chat.moderation import Ban, Bans
from chatd.config.banfile import BanFile
from chatd.config.keyfile import load_key
from chatd.config.operatorfile import load_operators
from chatd.config.ownfile import absolute_path
from chatd.daemon.backplane import read_backplane_password
from chatd.daemon.enforced import EnforcedService
from chatd.daemon.memory import MemoryService
from chatd.daemon.operatoraccounts import OperatorAccounts
from chatd.daemon.process import DescriptorService
from chatd.daemon.reloading import Reloading
from chatd.daemon.rereading import RereadingService
from chatd.daemon.sameness import Sameness
from chatd.daemon.service import ChatService
from chatd.daemon.settings import Settings
from chatd.daemon.stores import make_keepers
from chatd.daemon.web import make_front
from chatd.listening.expiry import ExpiryService
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.checkers import PasswordFileChecker
from chatd.server.factory import ChatFactory

__all__ = ["make_service"]


def make_service(
    reactor: Any,  # noqa: ANN401
    settings: Settings,
    factory_class: type[ChatFactory] = ChatFactory,
    reopen_log: Callable[[], None] | None = None,
    gives_up_root: bool = False,
) -> ChatService:
    """Assemble a daemon.

    Args:
        reactor: The reactor.
        settings: The operator's settings.
        factory_class: The class of the factory: `ChatFactory`, or a subclass with the same
            arguments.
        reopen_log: Reopens the log file at SIGHUP; None if the log is not a file.
        gives_up_root: See `ChatService`.

    Raises:
        ConfigurationError: An endpoint string or the key file is wrong.
    """
    passwords = _password_checker(reactor, settings)
    accounts = _accounts(reactor, settings, passwords)
    listed = _operator_reader(settings)
    key = None if settings.key_file is None else load_key(settings.key_file)
    operators = (*settings.policy.operators, *listed())
    hashes = {} if passwords is None else passwords.hashes
    sameness = Sameness(key, hashes, operators)
    store, ban_file, save_bans = make_keepers(reactor, settings, sameness)
    factory = factory_class(
        reactor,
        key=key,
        heartbeat_s=settings.heartbeat_s,
        max_content=settings.max_content,
        store=store,
        accounts=accounts,
        bans=Bans(save=save_bans, lock=DeferredLock(), unix_time=time.time),
        policy=replace(settings.policy, operators=operators),
        limits=settings.limits,
    )
    reloading = Reloading()
    if reopen_log is not None:  # first, so that the other steps log to the new file
        reloading.add("log", reopen_log, done="reopened")
    in_force = EnforcedService(factory.operators, factory.bans.in_force)
    reads = _add_files(reloading, settings, factory, ban_file, passwords, listed, in_force)
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
    if settings.web:
        front = make_front(factory, settings.web, settings.web_origins, settings.web_proxies)
        service.add_front(front, settings.web)
    service.gives_up_root = gives_up_root
    for endpoint, renew in service.certificates:
        reads[f"certificates of {endpoint}"] = renew
        reloading.add(f"certificates of {endpoint}", renew)
    needed = _needed_files(settings, accounts)
    if list(service.certificates):
        expiry = ExpiryService(reactor, service.certificates.served, time.time)
        expiry.setServiceParent(service)
        reloading.add_check(expiry.look)
    in_force.setServiceParent(service)
    RereadingService(reads, needed, reloading.told).setServiceParent(service)
    if passwords is not None and not any(_knows_accounts(each) for each in settings.checkers):
        check = OperatorAccounts(factory.operators, lambda: passwords.accounts)
        check.setServiceParent(service)
        reloading.add_check(check.check)
    descriptors = DescriptorService(reactor, settings.limits, has_front=bool(settings.web))
    descriptors.setServiceParent(service)
    MemoryService(reactor, lambda: factory.engine.connections.departures).setServiceParent(service)
    return service


def _add_files(
    reloading: Reloading,
    settings: Settings,
    factory: ChatFactory,
    ban_file: BanFile,
    passwords: PasswordFileChecker | None,
    listed: Callable[[], tuple[str, ...]],
    in_force: EnforcedService,
) -> dict[str, Callable[[], object]]:
    """Add the operator's files to the steps of SIGHUP; return their readers by name."""
    reads: dict[str, Callable[[], object]] = {}
    if settings.key_file is not None:
        reads["key file"] = read_key = partial(load_key, absolute_path(settings.key_file))
        reloading.add("key file", lambda: factory.use_key(read_key()))
    if passwords is not None:
        reads["password file"] = passwords.reload
        reloading.add("password file", passwords.reload)
    if settings.operator_file is not None:
        reads["operators"], given = listed, settings.policy.operators

        def read_operators() -> None:
            factory.use_operators((*given, *listed()))
            in_force.log_operators()

        reloading.add("operators", read_operators)
    if settings.data is not None:
        bans = factory.bans

        async def read_bans() -> None:
            before: list[Ban] = []

            def read() -> list[Ban]:
                before[:] = bans.in_force()
                return ban_file.load_again(before)

            await bans.reload(read)
            if bans.in_force() != before:
                in_force.log_bans()

        reloading.add("bans", read_bans)
    return reads


def _needed_files(settings: Settings, accounts: Accounts | None) -> Callable[[], None]:
    """Return a function that checks the files without which the daemon cannot serve."""
    checks: list[Callable[[], object]] = []
    if accounts is not None:
        checks.append(accounts.check_files)
    if settings.backplane_password_file is not None:  # it is read at each connection
        path = absolute_path(settings.backplane_password_file)
        checks.append(partial(read_backplane_password, path))

    def check() -> None:
        for each in checks:
            each()

    return check


def _knows_accounts(checker: ICredentialsChecker) -> bool:
    """Return whether a checker has accounts with names that chatd cannot know."""
    return list(checker.credentialInterfaces) != [IAnonymous]


def _stop(reactor: Any) -> None:  # noqa: ANN401
    """Stop the daemon, unless it is stopping already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _password_checker(reactor: Any, settings: Settings) -> PasswordFileChecker | None:  # noqa: ANN401
    """Make the checker of the password file, if there is one."""
    if settings.password_file is None:
        return None
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    return PasswordFileChecker(absolute_path(settings.password_file), in_thread)


def _operator_reader(settings: Settings) -> Callable[[], tuple[str, ...]]:
    """Return a function that reads the names in the operator file; without a file, no names."""
    if settings.operator_file is None:
        return tuple
    return partial(load_operators, absolute_path(settings.operator_file))


def _accounts(
    reactor: Any,  # noqa: ANN401
    settings: Settings,
    passwords: PasswordFileChecker | None,
) -> Accounts | None:
    """Return the accounts, or None if the server has none."""
    checkers = [*([] if passwords is None else [passwords]), *settings.checkers]
    if not checkers:
        return None
    rate = settings.logins_per_minute
    return Accounts(reactor, checkers, attempts=Attempts(rate, 60.0 / rate))
