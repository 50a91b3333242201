"""`Link`: keeps a node attached to the backplane, and runs scripts there."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol
from uuid import uuid4

import txredisapi
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.backplane.interface import LinkState
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment, run
from chatd.backplane.redis.connections import Commands, Dial, Pushes, Reply, all_of
from chatd.backplane.redis.script import Script, load, loaded
from chatd.errors import ChatError, StoreError

__all__ = ["Link", "Part", "Times"]

_SCRIPTS = "generation", "attach", "renew", "leave"
_GENERATION, _ATTACH, _RENEW, _LEAVE = map(load, _SCRIPTS)
_FIRST_WAIT_S = 0.1
_JITTER = 0.5
_UNHEARD = 2  # so many probes without an answer end the attachment


class Times:
    """The times of a link, in seconds.

    Attributes:
        lease_s: How long a lease holds without a renewal.
        heartbeat_s: The time between two renewals.
        patience_s: How long a call waits for a lost link.
        attach_s: How long one attempt to attach may take.
        longest_wait_s: The longest time between two attempts.
    """

    def __init__(
        self,
        *,
        lease_s: float = 10.0,
        heartbeat_s: float = 2.5,
        patience_s: float = 5.0,
        attach_s: float = 10.0,
        longest_wait_s: float = 5.0,
    ) -> None:
        self.lease_s = lease_s
        self.heartbeat_s = heartbeat_s
        self.patience_s = patience_s
        self.attach_s = attach_s
        self.longest_wait_s = longest_wait_s


class Part(Protocol):
    """A part of the backplane that does its own work at each attachment."""

    def attach(self, attachment: Attachment) -> Awaitable[None]:
        """Bring Redis and this node together again, before the link is offered.

        Only calls of the attachment itself may be awaited; the link's would wait for ever.
        """

    def leave(self, attachment: Attachment) -> Awaitable[None]:
        """Take back what this node has in Redis, because the node stops."""


class Link:
    """Keeps a node attached; see "Leases and fences" in the design of the backplane.

    Calls are done in the order in which they are made. While the link is lost, they wait.

    Args:
        reactor: Measures the times.
        dial: Makes a connection.
        details: What the other nodes can read of this one.
        times: The times of the link.
        unix_time: The clock of all scripts in place of that of Redis, for tests.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        dial: Dial,
        *,
        details: bytes = b"",
        times: Times | None = None,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self.node = uuid4().hex
        self.times = times or Times()
        self.parts: list[Part] = []
        self.linked: Callable[[LinkState], None] = lambda state: None
        self._reactor = reactor
        self._dial = dial
        self._details = details
        self._unix_time = unix_time
        self._channels: dict[str, Callable[[bytes], None]] = {}
        self._listeners: dict[bytes, Callable[[bytes], None]] = {}
        self._attachment: Attachment | None = None  # attached, or about to be
        self._is_up = False
        self._is_told_down = False
        self._is_closing = False
        self._reason = "not attached yet"
        self._waiting: list[tuple[Deferred[None], IDelayedCall]] = []
        self._first: list[Deferred[None]] = []
        self._next_step: IDelayedCall | None = None
        self._attempt: Deferred[None] | None = None
        self._attempts = 0
        self._unheard = 0
        self._generation = ""
        self._work = 0

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

    async def attached(self) -> Attachment:
        """Return the attachment, as soon as there is one.

        Raises:
            StoreError: The link was lost for too long.
        """
        if not self._is_up or self._waiting:
            await self._wait()
        if self._attachment is None:
            raise StoreError(self._lost_text())
        return self._attachment

    def cast(self, script: Script, names: Sequence[str] = (), args: Iterable[Any] = ()) -> None:
        """Run a script in the order of the calls, without an answer; a failure is logged."""
        done = Deferred.fromCoroutine(self.call(script, names, args))
        done.addErrback(self._call_failed)

    def hear(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """Hear a channel from the next attachment on."""
        self._channels[channel] = callback
        if self._attachment is not None:
            self._listen(channel)

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
        except txredisapi.RedisError as error:
            raise StoreError(str(error)) from error

    def off_push(self, channel: str) -> None:
        """Hear a channel no more."""
        self._channels.pop(channel, None)
        if self._attachment is not None:
            self._listeners.pop(self._name_of(channel), None)
            self._attachment.unsubscribe(channel)

    def saw_work(self, work: int) -> None:
        """Note how much work Redis has done in all, as the answer of an append says."""
        self._work = max(self._work, work)

    # For the owner

    def start(self) -> None:
        """Begin to attach."""
        self.hear(keys.node_channel(self.node), lambda data: None)
        self._start_attempt()

    def first_attempt(self) -> Deferred[None]:
        """Return a Deferred for the end of the next attempt to attach.

        It fails with a `StoreError` if the attempt did.
        """
        done: Deferred[None] = Deferred()
        if self._is_up:
            done.callback(None)
        else:
            self._first.append(done)
        return done

    async def close(self) -> None:
        """Give up the lease, and close the connections."""
        self._is_closing = True
        if self._next_step is not None and self._next_step.active():
            self._next_step.cancel()
        self._give_up("the backplane is closed")
        if self._attempt is not None:
            self._attempt.cancel()
        attachment = self._attachment
        if attachment is None:
            return
        if self._is_up:
            try:
                for part in self.parts:
                    await part.leave(attachment)
                await attachment.call(_LEAVE, [keys.key("nodes")])
            except StoreError as error:
                self._note(error)
        attachment.end("the backplane is closed")
        await all_of([attachment.commands.abort(), attachment.pushes.abort()])

    # Attaching

    def _start_attempt(self) -> None:
        attempt = self._attempt = Deferred.fromCoroutine(self._attach())
        attempt.addTimeout(self.times.attach_s, self._reactor)
        attempt.addErrback(self._attempt_failed)
        attempt.addCallback(self._attempt_done)

    def _attempt_done(self, _: None) -> None:
        self._attempt = None

    async def _attach(self) -> None:
        made: list[Commands] = []
        try:
            commands = await self._dial(Commands)
            made.append(commands)
            pushes = await self._dial(Pushes)
            made.append(pushes)
            pushes.on_push = self._pushed
            await self._attach_with(commands, pushes)
        except txredisapi.RedisError as error:
            _abort_all(made)
            raise StoreError(str(error)) from error
        except BaseException:
            _abort_all(made)
            raise

    async def _attach_with(self, commands: Commands, pushes: Pushes) -> None:
        # Redis knows all scripts before the first call: a call that has to wait for its script
        # would be done after later calls.
        texts = (script.text for script in loaded())
        await all_of(commands.execute_command("SCRIPT", "LOAD", each) for each in texts)
        token = uuid4().hex
        generation = await self._find_generation(commands)
        attachment = Attachment(
            commands,
            pushes,
            node=self.node,
            token=token,
            generation=generation,
            unix_time=self._unix_time,
            ended=self._ended,
        )
        self._attachment = attachment
        self._listeners = {}
        for channel in self._channels:
            self._listen(channel)
        await attachment.subscribe(self._channels)
        names = [attachment.lease, keys.key("run"), keys.key("nodes")]
        lease_ms = round(self.times.lease_s * 1000)
        args = self.node, generation, token, lease_ms, self._details
        self._work = await run(commands, _ATTACH, len(names), *names, *args)
        self._generation = generation
        for part in self.parts:
            await part.attach(attachment)
        if self._attachment is not attachment:
            raise StoreError(self._reason)
        self._offer()

    async def _find_generation(self, commands: Commands) -> str:
        run_id, is_safe = await _examine(commands)
        names = [keys.key("layout"), keys.key("run")]
        fresh = uuid4().hex[:16]
        args = keys.LAYOUT, run_id, int(is_safe), fresh, self._generation, self._work
        try:
            found = await run(commands, _GENERATION, len(names), *names, *args)
        except StoreError as error:
            if str(error).startswith("LAYOUT"):
                raise StoreError(
                    "a newer chatd has changed the backplane's keys: upgrade this daemon, too"
                ) from error
            raise
        return str(found, "ascii")

    def _offer(self) -> None:
        self._attempts = 0
        self._unheard = 0
        while self._waiting:  # further calls that these make wait behind them
            waiting, timer = self._waiting[0]
            timer.cancel()
            waiting.callback(None)
            self._waiting.pop(0)
        self._is_up = True
        self._next_step = self._reactor.callLater(self.times.heartbeat_s, self._beat)
        first, self._first = self._first, []
        for each in first:
            each.callback(None)
        if self._is_told_down:
            self._is_told_down = False
            self.linked(LinkState(True))

    def _attempt_failed(self, failure: Failure) -> None:
        if not failure.check(ChatError, TimeoutError) and not self._is_closing:
            self._log.failure("attaching to the backplane failed", failure)
        self._attachment = None
        self._reason = failure.getErrorMessage()
        if failure.check(TimeoutError):
            self._reason = "Redis does not answer"
        first, self._first = self._first, []
        for each in first:
            each.errback(StoreError(self._reason))
        self._try_later()

    def _ended(self, reason: str) -> None:
        """End the attachment, or the attempt; the attempt then fails by itself."""
        attachment, self._attachment = self._attachment, None
        if attachment is None:
            return
        self._reason = reason
        for each in (attachment.commands, attachment.pushes):
            each.on_lost = _ignore
            each.abort()
        if self._is_up:
            self._is_up = False
            if self._next_step is not None and self._next_step.active():
                self._next_step.cancel()
            self._try_later()

    def _try_later(self) -> None:
        if self._is_closing:
            return
        wait = min(_FIRST_WAIT_S * 2**self._attempts, self.times.longest_wait_s)
        self._attempts += 1
        wait *= 1 - _JITTER * random.random()  # spreads the load, hides nothing
        self._next_step = self._reactor.callLater(wait, self._start_attempt)
        if not self._is_told_down:
            self._is_told_down = True
            self.linked(LinkState(False, self._reason))

    # Waiting

    def _wait(self) -> Deferred[None]:
        if self._is_closing:
            raise StoreError("the backplane is closed")
        waiting: Deferred[None] = Deferred()
        timer = self._reactor.callLater(self.times.patience_s, self._lose_patience, waiting)
        self._waiting.append((waiting, timer))
        return waiting

    def _lose_patience(self, waiting: Deferred[None]) -> None:
        self._waiting = [each for each in self._waiting if each[0] is not waiting]
        waiting.errback(StoreError(self._lost_text()))

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        waiting, self._waiting = self._waiting, []
        for each, timer in waiting:
            timer.cancel()
            each.errback(StoreError(reason))

    def _lost_text(self) -> str:
        return f"the link to the backplane is lost: {self._reason}"

    def _call_failed(self, failure: Failure) -> None:
        failure.trap(StoreError)
        self._note(failure.value)

    def _note(self, error: BaseException | None) -> None:
        self._log.debug("a call of the backplane failed: {error}", error=error)

    # Heartbeats and pushes

    def _beat(self) -> None:
        attachment = self._attachment
        if attachment is None:
            return
        if self._unheard >= _UNHEARD:
            attachment.end("the backplane is silent")
            return
        self._unheard += 1
        self._next_step = self._reactor.callLater(self.times.heartbeat_s, self._beat)
        Deferred.fromCoroutine(self._renew(attachment)).addErrback(
            lambda failure: attachment.end(failure.getErrorMessage())
        )

    async def _renew(self, attachment: Attachment) -> None:
        try:
            _, is_safe = await _examine(attachment.commands)
        except txredisapi.RedisError as error:
            raise StoreError(str(error)) from error
        own = keys.channel(attachment.generation, keys.node_channel(self.node))
        await attachment.call(_RENEW, (), (round(self.times.lease_s * 1000), int(is_safe), own))

    def _pushed(self, channel: bytes, data: bytes) -> None:
        if not data:  # a probe
            self._unheard = 0
            return
        listener = self._listeners.get(channel)
        if listener is not None:
            listener(data)

    def _listen(self, channel: str) -> None:
        self._listeners[self._name_of(channel)] = self._channels[channel]

    def _name_of(self, channel: str) -> bytes:
        assert self._attachment is not None
        return keys.channel(self._attachment.generation, channel).encode()


async def _examine(commands: Commands) -> tuple[str, bool]:
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
    failure.trap(txredisapi.ResponseError)
    return []


def _fields(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, _, value in lines}


def _abort_all(connections: Iterable[Commands]) -> None:
    for each in connections:
        each.abort()


def _ignore(*arguments: object) -> None:
    pass
