"""`SignalService`: handles SIGHUP, and repeated signals to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.application.service import Service

__all__ = ["SignalService"]


class SignalService(Service):
    """Acts on SIGHUP, and on a second SIGTERM or SIGINT.

    The reactor's own signal handlers are called in a turn of the reactor: they write to the log,
    and could wait for ever for the log's lock if the signal interrupts another write.

    Args:
        reactor: The reactor, which installs its own signal handlers when it runs.
        hang_up: Called at each SIGHUP.
        hurry: Called at a signal to stop while the daemon is stopping.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        hang_up: Callable[[], None],
        hurry: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._hang_up = hang_up
        self._hurry = hurry
        self._before: Any = None
        self._is_stopping = False

    def startService(self) -> None:
        """Install the signal handlers."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._in_turn(self._hang_up))
        self._reactor.callWhenRunning(self._take_stops)

    def stopService(self) -> None:
        """Restore the handler of SIGHUP; signals to stop may still come."""
        super().stopService()
        before, self._before = self._before, None
        if before is not None:  # it is None if the start failed earlier
            # SIGHUP's default would end the process, which is about to end by itself.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if before == signal.SIG_DFL else before)

    def note_stopping(self) -> None:
        """Note that the daemon stops by itself: the next signal to stop counts as the second."""
        self._is_stopping = True

    def _take_stops(self) -> None:
        for number, name in ((signal.SIGTERM, "sigTerm"), (signal.SIGINT, "sigInt")):
            stop = getattr(self._reactor, name, None)
            if stop is not None and signal.getsignal(number) == stop:
                signal.signal(number, self._in_turn(self._stop, stop, number))

    def _stop(self, stop: Callable[[int, FrameType | None], None], number: int) -> None:
        if self._is_stopping:
            self._hurry()
        else:
            self._is_stopping = True
            stop(number, None)

    def _in_turn(
        self, act: Callable[..., None], *arguments: object
    ) -> Callable[[int, FrameType | None], None]:
        return lambda *_: self._reactor.callFromThread(act, *arguments)
