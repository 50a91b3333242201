"""Signals that end a command: what it does then, and the exit status that says so."""

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
"""How long a command that a signal ends may take to say goodbye, in seconds."""


class Signalled(BaseException):
    """A signal ends the command; like a KeyboardInterrupt, no `except Exception` keeps it.

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
    """Raise `Signalled` at each signal that ends a command, for the time of a context."""
    received: list[int] = []

    def act(number: int) -> None:
        received.append(number)
        raise Signalled(number)

    with _call_at_signals(act):
        try:
            yield
        except Exception as error:
            if received:  # a terminal that hung up fails to be put right on the way
                raise Signalled(received[0]) from error
            raise


@contextmanager
def _call_at_signals(act: Callable[[int], None]) -> Iterator[None]:
    """Call something with the number of each signal that ends a command; not of ignored ones."""

    def act_on(number: int, frame: FrameType | None) -> None:
        act(number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]  # as by nohup
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

    A signal cancels the work, which may say goodbye; another one, or a second's time, cancels what
    it does for that.

    Args:
        reactor: The reactor; not running.
        work: What to do: a coroutine function that returns the exit status.
        endpoint: Where it connects to, for what is told of a failure.

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
        if statuses:  # it is done
            return
        signals.append(number)
        if len(signals) == 1:
            attempted.addTimeout(_WIND_UP_S, reactor)
        attempted.cancel()

    reactor.callWhenRunning(start)
    with _call_at_signals(lambda number: reactor.callFromThread(leave, number)):
        reactor.run(installSignalHandlers=False)  # its own would be there instead
    return Status.of_signal(signals[0]) if signals else statuses[0]
