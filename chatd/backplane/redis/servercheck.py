"""The checks of the server before a daemon starts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import hiredis

from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.dialling import TIMEOUT_S, login_commands
from chatd.errors import ConfigurationError
from chatd.storage.values import Durability

__all__ = ["check_server", "fault_of", "missing_rights"]

_OLDEST = 7
_KNOWN_ENDS = frozenset({"always", "everysec"})


def check_server(
    address: RedisAddress,
    password: Callable[[], str | None],
    durability: Durability,
    warn: Callable[[str], None],
) -> None:
    """Connect to the server, and check that it fits; this blocks, and is done before the start.

    Args:
        address: Where Redis is.
        password: Returns the password, or None.
        durability: What a stop of the server may cost.
        warn: Called with a line about what cannot be checked.

    Raises:
        ConfigurationError: The server cannot be reached, or does not fit.
    """
    try:
        with _connected(address, password()) as ask:
            info = _fields(ask("INFO"))
            settings = _settings(ask)
    except (OSError, hiredis.HiredisError, _RefusedError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ConfigurationError(f"cannot use Redis at {address}: {reason}") from error
    fault = fault_of(info, settings, durability)
    if fault:
        raise ConfigurationError(f"Redis at {address}: {fault}")
    if settings is None:
        warn(missing_rights(address))


def missing_rights(address: RedisAddress) -> str:
    """Return the line about a server that does not tell its settings."""
    return (
        f"Redis at {address} does not tell its settings (CONFIG GET is not allowed): its "
        "maxmemory-policy must be noeviction, and each of its restarts counts as a loss"
    )


def fault_of(
    info: Mapping[str, str], settings: Mapping[str, str] | None, durability: Durability
) -> str:
    """Return why a server does not fit, or nothing.

    Args:
        info: The fields of INFO.
        settings: The settings; None if the server does not tell them.
        durability: What a stop of the server may cost.
    """
    version = info.get("redis_version", "0")
    is_valkey = "valkey_version" in info
    if not is_valkey and int(version.partition(".")[0] or 0) < _OLDEST:
        return f"its version is {version}; chatd needs Redis {_OLDEST}.0 or newer, or Valkey"
    if info.get("role") != "master":
        return "it is a replica, which cannot be written to; give the address of its master"
    return _fault_of_settings(settings, durability)


def _fault_of_settings(settings: Mapping[str, str] | None, durability: Durability) -> str:
    is_full = durability is Durability.FULL
    if settings is None:
        needed = (
            "it does not tell whether appendfsync is always (CONFIG GET is not allowed); allow "
            "that, or give --durability normal"
        )
        return needed if is_full else ""
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        return f"its maxmemory-policy is {policy}, which loses messages; set it to noeviction"
    is_kept, end = settings.get("appendonly") == "yes", settings.get("appendfsync", "")
    if is_full and not (is_kept and end == "always"):
        return "--durability full needs appendonly yes and appendfsync always"
    if not is_kept or end not in _KNOWN_ENDS:
        return "--durability normal needs appendonly yes and appendfsync everysec or always"
    return ""


class _RefusedError(Exception):
    """The server answered with an error."""


def _settings(ask: Callable[..., Any]) -> dict[str, str] | None:
    found: list[bytes] = []
    try:
        for pattern in ("maxmemory-policy", "appendonly", "appendfsync"):
            found += ask("CONFIG", "GET", pattern)
    except _RefusedError:
        return None
    texts = [each.decode() for each in found]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _fields(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, _, value in lines}


@contextmanager
def _connected(address: RedisAddress, password: str | None) -> Iterator[Callable[..., Any]]:
    """Connect and log in, and yield a function that runs a command."""
    with _socket_of(address) as connection:
        reader = hiredis.Reader(protocolError=_RefusedError, replyError=_RefusedError)

        def ask(*command: str) -> Any:  # noqa: ANN401
            connection.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]
            while (reply := reader.gets()) is False:
                data = connection.recv(65536)
                if not data:
                    raise ConnectionError("it closed the connection")
                reader.feed(data)
            if isinstance(reply, _RefusedError):
                raise reply
            return reply

        for command in login_commands(address, password):
            ask(*command)
        yield ask


def _socket_of(address: RedisAddress) -> socket.socket:
    if address.path:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(TIMEOUT_S)
            connection.connect(address.path)
        except BaseException:
            connection.close()
            raise
        return connection
    host, port = _master(address) if address.master else address.hosts[0]
    plain = socket.create_connection((host, port), TIMEOUT_S)
    if not address.is_tls:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _master(address: RedisAddress) -> tuple[str, int]:
    reason: Exception = ConnectionError("no Sentinel answers")
    for host in address.hosts:
        try:
            with _connected(RedisAddress(hosts=(host,)), None) as ask:
                found = ask("SENTINEL", "get-master-addr-by-name", address.master)
        except (OSError, _RefusedError) as error:
            reason = error
        else:
            if found is not None:
                return found[0].decode(), int(found[1])
            reason = ConnectionError(f"the Sentinels know no {address.master}")
    raise reason
