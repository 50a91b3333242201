"""`Questions`: bounds how many questions Redis works on at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Questions"]

T = TypeVar("T")


class Questions:
    """Bounds how many questions Redis works on at the same time; the others wait, in order.

    Redis does its work in the order in which it arrives. So everything that is sent after a
    thousand questions waits for all of them, also a heartbeat or a ban. With this bound, the
    questions wait here, and the rest goes past them.

    A session asks one question at a time, so the order of arrival is fair to all sessions.

    Args:
        most: The most questions that are sent and not answered.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: OrderedDict[Deferred[None], None] = OrderedDict()
        self._is_calling = False

    async def ask(self, send: Callable[[], Awaitable[T]]) -> T:
        """Wait for a turn, send a question, and return its answer.

        A question that is cancelled while it waits is not sent. After it was sent, it counts until
        Redis has answered it.

        Args:
            send: Sends the question, and returns the answer.
        """
        await self._turn()
        sent = Deferred.fromCoroutine(_awaited(send))
        answer: Deferred[T] = Deferred()  # to cancel it does not cancel what was sent
        sent.addCallbacks(answer.callback, answer.errback).addCallback(self._answered)
        return await answer

    def _turn(self) -> Deferred[None]:
        turn: Deferred[None] = Deferred(self._waiting.pop)
        self._waiting[turn] = None
        self._call()
        return turn

    def _call(self) -> None:
        if self._is_calling:  # a question that fails at once must not recurse
            return
        self._is_calling = True
        while self._free and self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            self._free -= 1
            turn.callback(None)
        self._is_calling = False

    def _answered(self, _: None) -> None:
        self._free += 1
        self._call()


async def _awaited(send: Callable[[], Awaitable[T]]) -> T:
    return await send()
