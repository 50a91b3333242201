"""`ServerState`: what a Redis server says about itself, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.backplane.redis.connections import Commands, RefusedError, all_of
from chatd.backplane.redis.rights import check_rights
from chatd.errors import StoreError
from chatd.storage.values import Durability

__all__ = ["ServerState", "ask_state", "check_fit", "examine"]

_OLDEST = 7
_KNOWN_ENDS = frozenset({"always", "everysec"})
_SETTINGS = ("maxmemory-policy", "appendonly", "appendfsync")


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says about itself.

    Attributes:
        info: The fields of its INFO about the server and the replication.
        settings: Its settings; None if it does not tell them.
    """

    info: dict[str, str]
    settings: dict[str, str] | None

    @property
    def run_id(self) -> str:
        """The id of its process."""
        return self.info["run_id"]

    @property
    def is_master(self) -> bool:
        """Whether it can be written to."""
        return self.info.get("role") == "master"

    @property
    def is_safe(self) -> bool:
        """Whether it loses nothing when it stops.

        That is so if it is and was the only server, and writes before it answers.
        """
        return (
            self.is_master
            and self.info.get("connected_slaves") == "0"
            and not self.info.get("master_replid2", "").strip("0")
            and self._writes_first
        )

    @property
    def _writes_first(self) -> bool:
        settings = self.settings or {}
        return settings.get("appendonly") == "yes" and settings.get("appendfsync") == "always"

    def fault(self, durability: Durability) -> str:
        """Return why the server does not fit, or nothing.

        Args:
            durability: What a stop of the server may cost.
        """
        version = self.info.get("redis_version", "0")
        is_valkey = "valkey_version" in self.info
        if not is_valkey and int(version.partition(".")[0] or 0) < _OLDEST:
            return f"its version is {version}; chatd needs Redis {_OLDEST}.0 or newer, or Valkey"
        if not self.is_master:
            return "it is a replica, which cannot be written to; give the address of its master"
        return self._fault_of_settings(durability)

    def _fault_of_settings(self, durability: Durability) -> str:
        is_full = durability is Durability.FULL
        settings = self.settings
        if settings is None:
            needed = (
                "it does not tell whether appendfsync is always (CONFIG GET is not allowed); allow "
                "that, or give --durability normal"
            )
            return needed if is_full else ""
        policy = settings.get("maxmemory-policy", "noeviction")
        if policy != "noeviction":
            return f"its maxmemory-policy is {policy}, which loses messages; set it to noeviction"
        if is_full and not self._writes_first:
            return "--durability full needs appendonly yes and appendfsync always"
        if settings.get("appendonly") != "yes" or settings.get("appendfsync") not in _KNOWN_ENDS:
            return "--durability normal needs appendonly yes and appendfsync everysec or always"
        return ""


async def ask_state(commands: Commands) -> ServerState:
    """Ask a server about itself.

    Raises:
        RedisError: It does not answer, or refuses to.
    """
    settings_asked = commands.execute_command("CONFIG", "GET", *_SETTINGS)
    settings_asked.addErrback(_not_allowed)
    asked: list[Deferred[Any]] = [
        commands.execute_command("INFO", "server"),
        commands.execute_command("INFO", "replication"),
        settings_asked,
    ]
    server, replication, settings = await all_of(asked)
    return ServerState(
        info={**_fields(server), **_fields(replication)},
        settings=None if settings is None else _pairs(settings),
    )


async def examine(commands: Commands, durability: Durability | None) -> ServerState:
    """Check that a server fits, and return its state.

    Args:
        commands: A connection to it.
        durability: What a stop of the server may cost; None for any loss.

    Raises:
        RedisError: It does not answer, or refuses to.
        StoreError: It does not fit, or its user lacks rights.
    """
    state = await ask_state(commands)
    check_fit(state, durability)
    await check_rights(commands)
    return state


def check_fit(state: ServerState, durability: Durability | None) -> None:
    """Check that a server with this state fits.

    Args:
        state: The state.
        durability: What a stop of the server may cost; None for any loss.

    Raises:
        StoreError: It does not fit.
    """
    fault = "" if durability is None else state.fault(durability)
    if fault:
        raise StoreError(fault)


def _not_allowed(failure: Failure) -> None:
    failure.trap(RefusedError)


def _fields(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, _, value in lines}


def _pairs(found: Sequence[bytes]) -> dict[str, str]:
    texts = [each.decode() for each in found]
    return dict(zip(texts[::2], texts[1::2], strict=True))
