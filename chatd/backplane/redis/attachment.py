"""`Attachment`: the attachment of a node to the backplane, over two connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from uuid import uuid4

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Arg, Commands, Pushes, RedisError, Reply
from chatd.backplane.redis.running import run
from chatd.backplane.redis.script import Script, load
from chatd.backplane.redis.serverstate import ask_state, check_fit
from chatd.errors import StoreError
from chatd.storage.values import Durability

__all__ = ["Attachment", "in_parts"]

_ATTACH, _RENEW = load("attach"), load("renew")
_ENDING = (
    *("FENCED", "STALE", "READONLY", "NOAUTH", "NOPERM"),
    "ERR The user executing the script",  # what Redis 7.0 says for NOPERM there
)
"""How answers begin after which the node attaches anew, or learns why it cannot."""
_PART = 100  # Redis does nothing else while a script runs, so no call takes much more

T = TypeVar("T")


class Attachment:
    """Two connections, and the values that the fence checks.

    Args:
        commands: The connection for commands.
        pushes: The connection that hears channels.
        node: The node's id.
        generation: The generation to which the node is attached.
        run_id: The id of the server's process.
        durability: What a stop of Redis may cost, checked at each renewal; None for any loss.
        unix_time: Returns the time that scripts take; None for the clock of Redis.
        ended: Called with the attachment and the reason, once, when the attachment ends.

    Attributes:
        had_lease: Whether the node's lease had not ended since the last offered attachment; known
            once the lease is taken.
    """

    def __init__(
        self,
        commands: Commands,
        pushes: Pushes,
        *,
        node: str,
        generation: str,
        run_id: str,
        durability: Durability | None,
        unix_time: Callable[[], float] | None,
        ended: Callable[[Attachment, str], None],
    ) -> None:
        self.commands = commands
        self.pushes = pushes
        self.generation = generation
        self.run_id = run_id
        self.lease = keys.key("n", node)
        self._fence_keys = (self.lease, keys.key("run"))
        self._node = node
        self._token = uuid4().hex  # names this attachment
        self._fence = (self._token, generation, node)
        self._durability = durability
        self._unix_time = unix_time
        self._ended = ended
        self._has_ended = False
        self.had_lease = False
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
            StoreError: The script was not run, or nobody knows whether it was.
        """
        now = "" if self._unix_time is None else repr(self._unix_time())
        whole = (len(names) + 2, *names, *self._fence_keys, *args, *self._fence, now)
        try:
            return await run(self.commands, script, *whole)
        except StoreError as error:
            if str(error).startswith(_ENDING):
                self.end(str(error))
            raise

    async def take_lease(self, length_ms: int, details: bytes) -> tuple[int, dict[str, bytes]]:
        """Take the lease of the node; the answer has the work, and the other nodes' details."""
        names = [self.lease, keys.key("run"), keys.key("nodes")]
        args = self._node, self.generation, self._token, length_ms, details
        reply = await run(self.commands, _ATTACH, len(names), *names, *args)
        work, others, had_lease = reply
        self.had_lease = bool(had_lease)
        return work, _details(others)

    async def renew_lease(self, length_ms: int) -> dict[str, bytes]:
        """Renew the lease, and send a probe to the node's channel; return the others' details.

        Raises:
            StoreError: The lease is not renewed, or the server's settings do not fit any more.
        """
        try:
            state = await ask_state(self.commands)
        except RedisError as error:
            raise StoreError(str(error)) from error
        own = keys.channel(self.generation, keys.node_channel(self._node))
        args = length_ms, int(state.is_safe), own
        # Redis notes first that it is not safe any more: its restart would not show that.
        others = _details(await self.call(_RENEW, [keys.key("nodes")], args))
        check_fit(state, self._durability)
        return others

    def subscribe(self, channels: Iterable[str]) -> Awaitable[None]:
        """Begin to hear channels; done when Redis has confirmed all of them."""
        return self.pushes.subscribe([keys.channel(self.generation, each) for each in channels])

    def unsubscribe(self, channel: str) -> None:
        """Stop hearing a channel."""
        self.pushes.unsubscribe([keys.channel(self.generation, channel)])

    def end(self, reason: str) -> None:
        """End the attachment: close both connections."""
        if not self._has_ended:
            self._has_ended = True
            self._ended(self, reason)
            for each in (self.commands, self.pushes):
                each.abort()


def in_parts(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield items in parts, each for one call of a script that takes many."""
    rest = iter(items)
    while part := list(islice(rest, _PART)):
        yield part


def _details(found: Sequence[bytes]) -> dict[str, bytes]:
    names = (name.decode() for name in found[::2])
    return dict(zip(names, found[1::2], strict=True))
