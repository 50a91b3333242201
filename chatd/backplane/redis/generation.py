"""The generation of the data in Redis, which changes whenever some data may be lost."""

from __future__ import annotations

from uuid import uuid4

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.running import run
from chatd.backplane.redis.script import load
from chatd.backplane.redis.serverstate import ServerState
from chatd.errors import StoreError

__all__ = ["find_generation"]

_GENERATION = load("generation")


async def find_generation(commands: Commands, state: ServerState, known: str, work: int) -> str:
    """Return the generation; if messages may be lost, make a new generation first.

    Args:
        commands: The connection.
        state: The state of the server.
        known: The generation that this node knows; empty for none.
        work: The work that this node saw Redis do in it.

    Raises:
        StoreError: The keys have a layout that this chatd does not know.
    """
    names = [keys.key("layout"), keys.key("run")]
    args = keys.LAYOUT, state.run_id, int(state.is_safe), uuid4().hex[:16], known, work
    try:
        found = await run(commands, _GENERATION, len(names), *names, *args)
    except StoreError as error:
        if str(error).startswith("LAYOUT"):
            raise StoreError(
                "a newer chatd has changed the backplane's keys: upgrade this daemon, too"
            ) from error
        raise
    return str(found, "ascii")
