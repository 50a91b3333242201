"""`make_backplane`: makes the backplane that the operator's settings name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.backplane.interface import IBackplane
from chatd.chat.names import fold
from chatd.config.ownfile import absolute_path, read_trusted_file
from chatd.daemon.sameness import Sameness
from chatd.errors import ConfigurationError, StoreError
from chatd.storage.values import Durability, Retention

__all__ = ["make_backplane", "read_backplane_password"]

_MAX_PASSWORD = 4096

_log = Logger()


def make_backplane(
    reactor: Any,  # noqa: ANN401
    url: str,
    password_file: str | None,
    durability: Durability,
    keep: Retention,
    sameness: Sameness,
) -> IBackplane:
    """Make the backplane, after a check of its server.

    Args:
        reactor: The reactor.
        url: The server's URL; see `chatd.backplane.redis.address`.
        password_file: The path of a file with the server's password, or None.
        durability: What a stop of the server may cost.
        keep: How much of each stream is kept.
        sameness: Compares the daemons.

    Raises:
        ConfigurationError: The URL is wrong, the server cannot be reached or does not fit, or the
            extra `redis` is not installed.
    """
    try:
        from chatd.backplane.redis import (  # noqa: PLC0415  (needs the extra)
            address,
            backplane,
            dialling,
            servercheck,
        )
    except ImportError as error:
        raise ConfigurationError(
            "--backplane needs hiredis: install chatd with its extra, redis"
        ) from error
    found = address.parse_address(url)
    if found.password is not None:
        if password_file is not None:
            raise ConfigurationError("give the password in the URL or in a file, not in both")
        _log.warn(
            "--backplane: other users of this machine can see the password in the URL; "
            "--backplane-password-file is safer"
        )
    elif found.user and password_file is None:
        raise ConfigurationError("give the password of the user in --backplane-password-file")
    password: Callable[[], str | None] = lambda: None  # noqa: E731
    if password_file is not None:
        password = partial(read_backplane_password, absolute_path(password_file))
    servercheck.check_server(found, password, durability, lambda line: _log.warn("{l}", l=line))
    made = backplane.RedisBackplane(
        reactor,
        dialling.Dialler(dialling.ReactorConnect(reactor), found, password),
        keep,
        fold=fold,
        details=sameness.digests,
        durability=durability,
    )
    told = Deferred.fromCoroutine(_tell_first_link(made.first_attempt, found.url, durability))
    told.addErrback(lambda failure: _log.failure("the first link is not told", failure))
    made.hear_others(sameness.compare)
    return made


async def _tell_first_link(
    first_attempt: Callable[[], Awaitable[None]], url: str, durability: Durability
) -> None:
    """Log once where the messages are, when the daemon has its first link."""
    while True:
        try:
            await first_attempt()
        except StoreError:  # the link logs the reason, and tries again
            continue
        _log.info(
            "messages in {url} (durability: {durability})", url=url, durability=durability.value
        )
        return


def read_backplane_password(path: str) -> str:
    """Read the first line of a password file.

    Raises:
        ConfigurationError: The file cannot be read, or has no password.
    """
    what = "backplane password file"
    text = read_trusted_file(path, what, is_secret=True, max_bytes=_MAX_PASSWORD)
    try:
        lines = text.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the {what} {path} is not UTF-8 text") from error
    if not lines or not lines[0]:
        raise ConfigurationError(f"the {what} {path} has no password")
    return lines[0]
