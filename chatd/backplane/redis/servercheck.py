"""The check of the server before a daemon starts."""

from __future__ import annotations

from collections.abc import Callable

from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.blocking import BlockingConnect, run_blocking
from chatd.backplane.redis.connections import Commands, RedisError
from chatd.backplane.redis.dialling import Dialler
from chatd.backplane.redis.generation import check_layout
from chatd.backplane.redis.serverstate import ServerState, examine
from chatd.errors import ConfigurationError, StoreError
from chatd.storage.values import Durability

__all__ = ["check_server", "missing_settings"]


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
        warn: Called with a line about settings that cannot be checked.

    Raises:
        ConfigurationError: The server cannot be reached, or does not fit.
    """
    connect = BlockingConnect()
    dialler = Dialler(connect, address, password)
    try:
        state = run_blocking(_check(dialler, address, durability), connect)
    except StoreError as error:
        raise ConfigurationError(str(error)) from error
    if state.settings is None:
        warn(missing_settings(address))


async def _check(dialler: Dialler, address: RedisAddress, durability: Durability) -> ServerState:
    commands = await dialler(Commands)
    try:
        state = await examine(commands, durability)
        await check_layout(commands)
    except (RedisError, StoreError) as error:
        raise StoreError(f"Redis at {address}: {error}") from error
    return state


def missing_settings(address: RedisAddress) -> str:
    """Return the line about a server that does not tell its settings."""
    return (
        f"Redis at {address} does not tell its settings (CONFIG GET is not allowed): its "
        "maxmemory-policy must be noeviction, and each of its restarts counts as a loss"
    )
