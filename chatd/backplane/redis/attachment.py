"""`Attachment`: the time in which a node is attached to the backplane, with its two connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import txredisapi

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Arg, Commands, Pushes, Reply
from chatd.backplane.redis.script import Script
from chatd.errors import StoreError

__all__ = ["Attachment"]

_ENDED = ("FENCED", "STALE")


class Attachment:
    """Two connections, and all that the fence checks.

    Args:
        commands: The connection for commands.
        pushes: The connection that hears channels.
        node: The node's id.
        token: The id of this attachment.
        generation: The generation to which the node is attached.
        unix_time: Returns the time that scripts take; None for the clock of Redis.
        ended: Called with the reason, once, when the attachment ends.
    """

    def __init__(
        self,
        commands: Commands,
        pushes: Pushes,
        *,
        node: str,
        token: str,
        generation: str,
        unix_time: Callable[[], float] | None,
        ended: Callable[[str], None],
    ) -> None:
        self.commands = commands
        self.pushes = pushes
        self.generation = generation
        self.lease = keys.key("n", node)
        self._fence_keys = (self.lease, keys.key("run"))
        self._fence = (token, generation, node)
        self._unix_time = unix_time
        self._ended = ended
        self._has_ended = False
        commands.on_lost = pushes.on_lost = lambda why: self.end(f"the connection is lost: {why}")

    async def call(
        self, script: Script, names: Sequence[str] = (), args: Iterable[Arg] = ()
    ) -> Reply:
        """Run a script, with the keys and arguments of the fence after its own.

        Args:
            script: The script.
            names: The script's keys.
            args: The script's arguments: bytes, text and whole numbers.

        Raises:
            StoreError: It was not done, or it is not known whether it was.
        """
        now = "" if self._unix_time is None else repr(self._unix_time())
        whole = (len(names) + 2, *names, *self._fence_keys, *args, *self._fence, now)
        try:
            return await run(self.commands, script, *whole)
        except StoreError as error:
            if str(error).startswith(_ENDED):
                self.end(str(error))
            raise

    def subscribe(self, channels: Iterable[str]) -> Awaitable[None]:
        """Hear channels; answered when Redis has confirmed all of them."""
        return self.pushes.subscribe([keys.channel(self.generation, each) for each in channels])

    def unsubscribe(self, channel: str) -> None:
        """Hear a channel no more."""
        self.pushes.unsubscribe([keys.channel(self.generation, channel)])

    def end(self, reason: str) -> None:
        """End the attachment: close both connections."""
        if not self._has_ended:
            self._has_ended = True
            self._ended(reason)


async def run(commands: Commands, script: Script, *whole: Arg) -> Reply:
    """Run a script; where Redis does not know it, give Redis the text.

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
        except txredisapi.ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await commands.execute_command("EVAL", script.text, *whole)
    except txredisapi.RedisError as error:
        raise StoreError(str(error)) from error
