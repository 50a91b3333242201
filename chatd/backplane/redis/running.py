"""`run`: runs a script in Redis."""

from __future__ import annotations

from chatd.backplane.redis.connections import Arg, Commands, RedisError, RefusedError, Reply, all_of
from chatd.backplane.redis.script import Script, loaded
from chatd.errors import StoreError

__all__ = ["give_all", "run"]


async def give_all(commands: Commands) -> None:
    """Give Redis all scripts before the first call.

    A call that has to wait for its script would be done after later calls.
    """
    texts = (script.text for script in loaded())
    await all_of(commands.execute_command("SCRIPT", "LOAD", each) for each in texts)


async def run(commands: Commands, script: Script, *whole: Arg) -> Reply:
    """Run a script; if Redis does not know it, give Redis the text.

    Args:
        commands: The connection.
        script: The script.
        whole: The number of keys, the keys and the arguments.

    Raises:
        StoreError: See `Attachment.call`.
    """
    try:
        try:
            return await commands.execute_command("EVALSHA", script.sha, *whole)
        except RefusedError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await commands.execute_command("EVAL", script.text, *whole)
    except RedisError as error:
        raise StoreError(str(error)) from error
