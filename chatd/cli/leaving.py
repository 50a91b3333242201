"""Signals that end a command, and their exit statuses."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred

from chatd.cli.status import Status, explain
from chatd.cli.streams import complain

__all__ = ["Signalled", "raise_at_signals", "run_reactor"]

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_WIND_UP_S = 1.0
"""Time that a command has for its goodbye after a signal, in seconds."""


class Signalled(BaseException):
    """A signal ends the command; like KeyboardInterrupt, `except Exception` does not catch it.

    Args:
        number: The signal's number.

    Attributes:
        status: The exit status.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = Status.of_signal(number)


@contextmanager
def raise_at_signals() -> Iterator[None]:
    """Raise `Signalled` at each signal that ends a command, within the context."""
    received: list[int] = []

    def act(number: int) -> None:
        received.append(number)
        raise Signalled(number)

    with _call_at_signals(act):
        try:
            yield
        except Exception as error:
            if received:  # restoring a terminal that hung up fails
                raise Signalled(received[0]) from error
            raise


@contextmanager
def _call_at_signals(act: Callable[[int], None]) -> Iterator[None]:
    """Call a function with the number of each signal that ends a command, unless it is ignored."""

    def act_on(number: int, frame: FrameType | None) -> None:
        act(number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]  # nohup
    for number in taken:
        signal.signal(number, act_on)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def run_reactor(
    reactor: Any,  # noqa: ANN401
    work: Callable[[], Any],
    endpoint: str,
) -> Status:
    """Run a reactor until some work is done, or a signal has ended it.

    A signal cancels the work, which may then say goodbye. A second signal, or a second of time,
    cancels the goodbye.

    Args:
        reactor: The reactor; not running.
        work: The work: a coroutine function that returns the exit status.
        endpoint: The endpoint that the work connects to; error messages name it.

    Returns:
        The exit status.
    """
    statuses: list[Status] = []
    signals: list[int] = []
    attempted: Deferred[None] = Deferred()

    async def attempt() -> None:
        try:
            statuses.append(await work())
        except Exception as error:
            if not signals:
                status, why = explain(error, endpoint)
                complain(why)
                statuses.append(status)

    def start() -> None:
        nonlocal attempted
        attempted = Deferred.fromCoroutine(attempt())
        attempted.addBoth(lambda _: reactor.stop())

    def leave(number: int) -> None:
        if statuses:  # the work is done
            return
        signals.append(number)
        if len(signals) == 1:
            attempted.addTimeout(_WIND_UP_S, reactor)
        attempted.cancel()

    reactor.callWhenRunning(start)
    with _call_at_signals(lambda number: reactor.callFromThread(leave, number)):
        reactor.run(installSignalHandlers=False)  # they would replace ours
    return Status.of_signal(signals[0]) if signals else statuses[0]
