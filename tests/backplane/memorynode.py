"""A node of a backplane in memory: the calls of its daemon, what it is told, and faults of both."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from chatd.errors import StoreError


class MemoryNode:
    """A node, whose calls and pushes wait or fail at will.

    Attributes:
        shared: What it shares with the other nodes.
        listener: Hears of changes.
        is_up: Whether the link works.
        is_held: Whether calls wait until `go_on`.
        is_slow: Whether what others did waits until `catch_up`.
        is_deaf: Whether what others did gets lost.
        calls: The names of the called methods.
    """

    def __init__(self, shared):
        self.shared = shared
        self.listener: Any = None
        self.is_up = True
        self.is_held = False
        self.is_slow = False
        self.is_deaf = False
        self.calls = []
        self._waiting: deque[Any] = deque()
        self._pushed: deque[Any] = deque()

    def go_on(self):
        """Do the calls that were held."""
        self.is_held = False
        while self._waiting:
            self._waiting.popleft().callback(None)

    @property
    def owes_answers(self):
        """Whether calls are held."""
        return bool(self._waiting)

    def answer_next(self):
        """Do the call that was held first; later ones stay held."""
        self._waiting.popleft().callback(None)

    def catch_up(self):
        """Hear what was slow."""
        self.is_slow = False
        while self._pushed:
            self._pushed.popleft()()

    def push(self, hear):
        """Tell what another node did."""
        if self.is_up and not self.is_deaf:
            if self.is_slow:
                self._pushed.append(hear)
            else:
                self.shared.soon(hear)

    async def ready(self, call):
        """Wait until a call is done.

        Raises:
            StoreError: It fails, by a fault at will.
        """
        self.calls.append(call)
        if self.is_held or self.shared.is_late:
            waiting: Deferred[None] = Deferred()
            if self.is_held:
                self._waiting.append(waiting)
            else:
                self.shared.soon(lambda: waiting.callback(None))
            await waiting
        if not self.is_up:
            raise StoreError("the backplane does not answer")
        if self.shared.store.failure is not None:
            raise self.shared.store.failure

    def later(self, call, act, *args):
        """Do something after all earlier calls."""
        self.calls.append(call)
        done: Deferred[Any] = Deferred()
        done.addCallback(lambda _: act(*args) if self.is_up else None)
        if self.is_held:
            self._waiting.append(done)
        else:
            self.shared.soon(lambda: done.callback(None))


def json_copy(value):
    """Return what another process would get of a value."""
    return json.loads(json.dumps(value))


def now(coroutine):
    """Return the result of a coroutine that is done at once."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waits")
