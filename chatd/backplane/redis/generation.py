"""The generation of the data in Redis, which changes whenever some data may be lost."""

from __future__ import annotations

from uuid import uuid4

from twisted.python.failure import Failure

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands, RefusedError, all_of
from chatd.backplane.redis.running import run
from chatd.backplane.redis.script import load
from chatd.errors import StoreError

__all__ = ["examine", "find_generation"]

_GENERATION = load("generation")


async def find_generation(commands: Commands, known: str, work: int) -> str:
    """Return the generation; if messages may be lost, make a new generation first.

    Args:
        commands: The connection.
        known: The generation that this node knows; empty for none.
        work: The work that this node saw Redis do in it.

    Raises:
        StoreError: The keys have a layout that this chatd does not know.
    """
    run_id, is_safe = await examine(commands)
    names = [keys.key("layout"), keys.key("run")]
    args = keys.LAYOUT, run_id, int(is_safe), uuid4().hex[:16], known, work
    try:
        found = await run(commands, _GENERATION, len(names), *names, *args)
    except StoreError as error:
        if str(error).startswith("LAYOUT"):
            raise StoreError(
                "a newer chatd has changed the backplane's keys: upgrade this daemon, too"
            ) from error
        raise
    return str(found, "ascii")


async def examine(commands: Commands) -> tuple[str, bool]:
    """Return the server's run id, and whether it loses nothing when it stops.

    It loses nothing if it is and was the only server, and writes before it answers.
    """
    settings_asked = commands.execute_command("CONFIG", "GET", "append*")
    settings_asked.addErrback(_not_allowed)
    server_info, replication_info, found = await all_of(
        [
            commands.execute_command("INFO", "server"),
            commands.execute_command("INFO", "replication"),
            settings_asked,
        ]
    )
    server, replication = _fields(server_info), _fields(replication_info)
    settings = dict(zip(found[::2], found[1::2], strict=False))
    is_safe = (
        replication.get("role") == "master"
        and replication.get("connected_slaves") == "0"
        and not replication.get("master_replid2", "").strip("0")
        and settings.get(b"appendonly") == b"yes"
        and settings.get(b"appendfsync") == b"always"
    )
    return server["run_id"], is_safe


def _not_allowed(failure: Failure) -> list[bytes]:
    failure.trap(RefusedError)
    return []


def _fields(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, _, value in lines}
