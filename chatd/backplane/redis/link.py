"""`Link`: keeps a node attached to the backplane, and runs scripts there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.backplane.interface import LinkState
from chatd.backplane.redis import keys
from chatd.backplane.redis.attaching import Attacher
from chatd.backplane.redis.attachment import Attachment
from chatd.backplane.redis.attempts import Attempts
from chatd.backplane.redis.channels import Channels
from chatd.backplane.redis.connections import (
    Dial,
    RedisError,
    RefusedError,
    Reply,
    all_of,
    is_caused_by_loss,
)
from chatd.backplane.redis.heartbeat import Heartbeat
from chatd.backplane.redis.outage import Outage
from chatd.backplane.redis.questions import Questions
from chatd.backplane.redis.script import Script, load
from chatd.backplane.redis.times import Times
from chatd.backplane.redis.waiting import WaitingCalls
from chatd.errors import ChatError, StoreError
from chatd.storage.values import Durability

__all__ = ["Link", "Part"]

T = TypeVar("T")
_LEAVE = load("leave")
_MOST_QUESTIONS = 4  # so Redis is never idle for want of a question, and never far behind


class Part(Protocol):
    """A part of the backplane that does its own work at each attachment."""

    def attach(self, attachment: Attachment) -> Awaitable[None]:
        """Make Redis and this node agree again, before other calls use the link.

        Only calls of the attachment itself may be awaited; the link's would wait for ever.
        """

    def leave(self, attachment: Attachment) -> Awaitable[None]:
        """Remove the state of this node from Redis, because the node stops."""


class Link:
    """Keeps a node attached; see "Leases and fences" in the design of the backplane.

    Calls are done in the order in which they are made, and questions (`ask`) in an order of their
    own. While the link is lost, all wait; when it has been lost or silent for too long, all fail
    until it works again.

    `Attempts` decides when the node attaches, `Attacher` connects and takes the lease, and
    `Heartbeat` keeps it. The link knows which attachment is the present one, and whether calls may
    use it.

    Args:
        reactor: Measures the times.
        dial: Makes a connection.
        details: Returns the details of this node, for the others; called at each attachment.
        durability: What a stop of Redis may cost, checked at each heartbeat; None for any loss.
        times: The times of the link.
        unix_time: The clock of all scripts in place of that of Redis, for tests.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        dial: Dial,
        *,
        details: Callable[[], bytes] = bytes,
        durability: Durability | None = None,
        times: Times | None = None,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self.node = uuid4().hex
        self.times = times or Times()
        self.questions = Questions(_MOST_QUESTIONS)  # for calls that only read, by any guest
        self.parts: list[Part] = []
        self.beats: list[Callable[[Attachment], Awaitable[None]]] = []  # done at each heartbeat
        self.others_changed: Callable[[dict[str, bytes]], None] = lambda others: None
        self.linked: Callable[[LinkState], None] = lambda state: None
        self._reactor = reactor
        self._channels = Channels()
        self._attachment: Attachment | None = None  # attached, or about to be
        self._is_up = False  # calls may use it
        self._is_closing = False
        self._waiting = WaitingCalls(reactor, self.times.patience_s)
        self._others: dict[str, bytes] = {}
        self._outage = Outage(reactor, self._tell)
        self._attacher = Attacher(
            dial,
            self.node,
            details=details,
            durability=durability,
            unix_time=unix_time,
            pushed=self._pushed,
            ended=self._ended,
        )
        self._attempts = Attempts(reactor, self.times, self._attach, self._attempt_failed)
        self._heartbeat = Heartbeat(
            reactor, self.times.heartbeat_s, self._beat, self._beat_failed, self._silent
        )

    @property
    def attachment(self) -> Attachment | None:
        """The present attachment, also while it is being made."""
        return self._attachment

    # For the parts

    async def call(
        self, script: Script, names: Sequence[str] = (), args: Iterable[Any] = ()
    ) -> Reply:
        """Run a script as soon as the link works; see `Attachment.call`.

        Raises:
            StoreError: See `Attachment.call`; or the link was lost for too long.
        """
        attachment = await self.attached()
        return await attachment.call(script, names, args)

    async def ask(
        self, script: Script, names: Sequence[str] = (), args: Iterable[Any] = ()
    ) -> Reply:
        """Run a script that only reads, when it is its turn: other calls may go past it.

        Raises:
            StoreError: See `call`.
        """
        attachment = await self.attached()
        return await self.questions.ask(lambda: attachment.call(script, names, args))

    async def attached(self) -> Attachment:
        """Return the attachment, as soon as there is an attachment.

        Raises:
            StoreError: The link was lost for too long.
        """
        if self._is_closing:
            raise self._waiting.error()
        if not self._is_up:
            await self._waiting.wait()
        if self._attachment is None:
            raise self._waiting.error()
        return self._attachment

    async def repeat_if_lost(self, run: Callable[[Attachment], Awaitable[T]]) -> T:
        """Run a function of the attachment, and once more if its connection is lost meanwhile.

        Args:
            run: What can be done twice, because it only reads, or Redis knows what it has done.

        Raises:
            StoreError: It failed for another reason, or again; or the link was lost for so long
                that the lease ended, and the call may be out of date; or see `attached`.
        """
        attachment = await self.attached()
        try:
            return await run(attachment)
        except StoreError as error:
            if not is_caused_by_loss(error):
                raise
            attachment = await self.attached()
            if not attachment.had_lease:
                raise
        return await run(attachment)

    def cast(self, script: Script, names: Sequence[str] = (), args: Iterable[Any] = ()) -> None:
        """Run a script in the order of the calls, without an answer; a failure is logged."""
        done = Deferred.fromCoroutine(self.call(script, names, args))
        done.addErrback(self._call_failed)

    def hear(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """Hear a channel from the next attachment on."""
        self._channels.add(channel, callback)

    async def on_push(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """Hear a channel from now on, and at every later attachment.

        Args:
            channel: The channel; see `chatd.backplane.redis.keys`.
            callback: Called with the data of each push.

        Raises:
            StoreError: The link is lost; the channel is heard from the next attachment on.
        """
        attachment = await self.attached()
        self.hear(channel, callback)
        try:
            await attachment.subscribe([channel])
        except RedisError as error:
            raise StoreError(str(error)) from error

    def off_push(self, channel: str) -> None:
        """Stop hearing a channel."""
        self._channels.remove(channel)
        if self._attachment is not None:
            self._attachment.unsubscribe(channel)

    def saw_work(self, work: int) -> None:
        """Note how much work Redis has done in all, as the answer of a script says."""
        self._attacher.saw_work(work)

    # For the owner

    def start(self) -> None:
        """Begin to attach."""
        if keys.node_channel(self.node) not in self._channels:  # of the probes
            self.hear(keys.node_channel(self.node), lambda data: None)
        self._attempts.start()

    def first_attempt(self) -> Deferred[None]:
        """Return a Deferred for the end of the next attempt to attach.

        It fails with a `StoreError` if the attempt fails.
        """
        return succeed(None) if self._is_up else self._attempts.end_of_next()

    async def close(self) -> None:
        """Give up the lease, and close the connections."""
        self._is_closing = True
        self._heartbeat.stop()
        self._waiting.reason = "the backplane is closed"
        self._waiting.give_up()
        self._attempts.stop(self._waiting.reason)
        attachment = self._attachment
        if attachment is None:
            return
        if self._is_up:
            left = Deferred.fromCoroutine(self._leave(attachment))
            left.addTimeout(self.times.patience_s, self._reactor)
            await left.addErrback(self._call_failed)
        attachment.end("the backplane is closed")
        await all_of([attachment.commands.abort(), attachment.pushes.abort()])

    async def _leave(self, attachment: Attachment) -> None:
        for part in self.parts:
            await part.leave(attachment)
        await attachment.call(_LEAVE, [keys.key("nodes")])

    # Attaching

    async def _attach(self) -> None:
        """Attach, and offer the link.

        Whatever is awaited fails if the attachment ends meanwhile, since its connections are lost.
        """
        try:
            attachment = self._attachment = await self._attacher.connect()
            self._channels.begin(attachment.generation)
            await attachment.subscribe(self._channels)
            others = await self._attacher.take_lease(attachment, self.times.lease_ms)
            for part in self.parts:
                await part.attach(attachment)
        except RedisError as error:
            raise StoreError(str(error)) from error
        self._offer(attachment)
        self._tell_others(others)

    def _offer(self, attachment: Attachment) -> None:
        self._waiting.release()
        if self._attachment is not attachment:  # it ended meanwhile, which is a loss of its own
            self._waiting.lost(self._waiting.reason)
            raise StoreError(self._waiting.reason)
        self._is_up = True
        self._attacher.offered()
        self._heartbeat.start(attachment)
        self._attempts.succeeded()
        self._outage.end()

    def _attempt_failed(self, failure: Failure) -> None:
        self._log_unexpected("attaching to the backplane failed", failure)
        reason = failure.getErrorMessage()
        if failure.check(TimeoutError):
            reason = "Redis does not answer"
        attachment = self._attachment
        self._withdraw()
        if attachment is not None:
            attachment.end(reason)
        self._attempts.failed(reason)
        self._try_later(reason)

    def _ended(self, attachment: Attachment, reason: str) -> None:
        """Note the end of an attachment; an attempt that is under way then fails by itself."""
        if self._attachment is not attachment:
            return
        was_up = self._is_up
        self._withdraw()
        self._waiting.reason = reason
        if was_up:
            self._waiting.lost(reason)
            self._try_later(reason)

    def _withdraw(self) -> None:
        """Let calls wait for the next attachment."""
        self._attachment = None
        self._is_up = False
        self._heartbeat.stop()

    def _try_later(self, reason: str) -> None:
        if self._is_closing:
            return
        self._waiting.reason = reason
        self._attempts.start_later()
        self._outage.note(reason)

    def _tell(self, state: LinkState) -> None:
        self.linked(state)  # it may be another one by now

    def _log_unexpected(self, what: str, failure: Failure) -> None:
        """Log a fault of the program; an outage logs the other reasons by itself."""
        if not failure.check(ChatError, TimeoutError) and not self._is_closing:
            self._log.failure(what, failure)

    def _call_failed(self, failure: Failure) -> None:
        """Log why Redis refused a call; all other calls fail in an outage, which is logged."""
        failure.trap(StoreError, TimeoutError)
        cause = getattr(failure.value, "__cause__", None)
        if self._is_up and isinstance(cause, RefusedError):
            self._outage.refused(str(cause))

    # Heartbeats and pushes

    async def _beat(self, attachment: Attachment) -> None:
        others = await attachment.renew_lease(self.times.lease_ms)
        self._heartbeat.heard_answer()
        self._tell_others(others)
        for beat in self.beats:
            await beat(attachment)

    def _beat_failed(self, failure: Failure) -> None:
        self._log_unexpected("a heartbeat of the backplane failed", failure)

    def _silent(self, attachment: Attachment, silent_s: float) -> None:
        """End an attachment; for the silence of its commands, calls have waited already."""
        reason = "the backplane is silent"
        self._waiting.lost(reason, silent_s)
        attachment.end(reason)

    def _pushed(self, channel: bytes, data: bytes) -> None:
        if not data:  # a probe
            self._heartbeat.heard_probe()
            return
        try:
            self._channels.pushed(channel, data)
        except StoreError as error:
            self._log.error("a push to {channel} is dropped: {error}", channel=channel, error=error)

    def _tell_others(self, others: dict[str, bytes]) -> None:
        if others != self._others:
            self._others = others
            self.others_changed(others)
