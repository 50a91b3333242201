"""The generation of the data in Redis, which changes whenever some data may be lost."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.running import run
from chatd.backplane.redis.script import load
from chatd.backplane.redis.serverstate import ServerState
from chatd.errors import StoreError

__all__ = ["Seen", "check_layout", "find_generation"]

_GENERATION = load("generation")
_OTHER_LAYOUT = "LAYOUT"
"""How the refusal of `generation.lua` begins."""


class Seen(msgspec.Struct, frozen=True):
    """What a node saw at its last attachment.

    Attributes:
        generation: The generation; empty before the first attachment.
        run_id: The run id of the server.
        work: The work that the node saw the server do in all.
    """

    generation: str = ""
    run_id: str = ""
    work: int = 0


async def find_generation(commands: Commands, state: ServerState, seen: Seen) -> str:
    """Return the generation; if messages may be lost, make a new generation first.

    Args:
        commands: The connection.
        state: The state of the server.
        seen: What this node saw before.

    Raises:
        StoreError: The keys have a layout that this chatd does not know, or the script failed.
    """
    names = [keys.key("layout"), keys.key("run")]
    new = uuid4().hex[:16]
    args = keys.LAYOUT, state.run_id, int(state.is_safe), new, *msgspec.structs.astuple(seen)
    try:
        found = await run(commands, _GENERATION, len(names), *names, *args)
    except StoreError as error:
        if str(error).startswith(_OTHER_LAYOUT):
            raise _newer_layout() from error
        raise
    return str(found, "ascii")


async def check_layout(commands: Commands) -> None:
    """Check that this chatd knows the layout of the keys.

    Raises:
        RedisError: Redis does not answer.
        StoreError: It does not know the layout.
    """
    found = await commands.execute_command("GET", keys.key("layout"))
    if found is not None and not (found.isdigit() and int(found) <= keys.LAYOUT):
        raise _newer_layout()


def _newer_layout() -> StoreError:
    return StoreError("a newer chatd has changed the backplane's keys: upgrade this daemon, too")
