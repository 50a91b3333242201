"""`Attacher`: makes the attachments of a node, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.connections import Commands, Dial, Pushes
from chatd.backplane.redis.generation import Seen, find_generation
from chatd.backplane.redis.running import give_all
from chatd.backplane.redis.serverstate import examine
from chatd.storage.values import Durability

__all__ = ["Attacher"]


class Attacher:
    """Makes the attachments of a node, one after the other.

    It remembers what the node saw of the server, so the next attachment finds out whether Redis
    has lost something since.

    Args:
        dial: Makes a connection.
        node: The node's id.
        details: Returns the details of the node, for the others; called at each attachment.
        durability: What a stop of Redis may cost; None for any loss.
        unix_time: Returns the time that scripts take; None for the clock of Redis.
        pushed: Called with the channel and the data of each push.
        ended: Called with an attachment and the reason, once, when the attachment ends.
    """

    def __init__(
        self,
        dial: Dial,
        node: str,
        *,
        details: Callable[[], bytes],
        durability: Durability | None,
        unix_time: Callable[[], float] | None,
        pushed: Callable[[bytes, bytes], None],
        ended: Callable[[Attachment, str], None],
    ) -> None:
        self._dial = dial
        self._node = node
        self._details = details
        self._durability = durability
        self._unix_time = unix_time
        self._pushed = pushed
        self._ended = ended
        self._may_have_lost_lease = True  # since the last attachment that was offered
        self._seen = Seen()
        self._work = 0  # apart from `_seen`, since it changes at each append

    def saw_work(self, work: int) -> None:
        """Note how much work Redis has done in all."""
        self._work = max(self._work, work)

    async def connect(self) -> Attachment:
        """Connect to Redis, check that it fits, and find the generation.

        Returns:
            An attachment without a lease; the caller ends it. It hears no channel yet.

        Raises:
            RedisError: A command failed; nothing stays connected.
            StoreError: It cannot be reached, or does not fit; likewise.
        """
        with ExitStack() as opened:
            commands = await self._dial(Commands)
            opened.callback(commands.abort)
            pushes = await self._dial(Pushes)
            opened.callback(pushes.abort)
            pushes.on_push = self._pushed
            await give_all(commands)
            state = await examine(commands, self._durability)
            seen = msgspec.structs.replace(self._seen, work=self._work)
            generation = await find_generation(commands, state, seen)
            opened.pop_all()
        return Attachment(
            commands,
            pushes,
            node=self._node,
            generation=generation,
            run_id=state.run_id,
            durability=self._durability,
            unix_time=self._unix_time,
            ended=self._ended,
        )

    def offered(self) -> None:
        """Note that the node's parts agree with Redis: a lease that was lost does not matter."""
        self._may_have_lost_lease = False

    async def take_lease(self, attachment: Attachment, length_ms: int) -> dict[str, bytes]:
        """Take the node's lease, and return the details of the other nodes.

        Raises:
            StoreError: There is another generation meanwhile, or Redis does not answer.
        """
        had_lost, self._may_have_lost_lease = self._may_have_lost_lease, True  # until it answers
        self._work, others = await attachment.take_lease(length_ms, self._details())
        self._may_have_lost_lease = had_lost or not attachment.had_lease
        attachment.had_lease = not self._may_have_lost_lease
        self._seen = Seen(attachment.generation, attachment.run_id)
        return others
