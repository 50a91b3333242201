"""`Heartbeat`: does what an attachment needs again and again, and finds out when it is silent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.backplane.redis.attachment import Attachment

__all__ = ["Heartbeat"]

_UNHEARD = 2  # so many probes without an answer end the attachment


class Heartbeat:
    """Beats for the attachment that is offered.

    At each beat, Redis pushes a probe to the node. So an attachment whose subscription brings
    nothing any more ends, though its connections are open.

    Args:
        reactor: Measures the time.
        interval_s: The time between two beats.
        beat: Renews the lease of the attachment, which sends a probe, and does the work of a beat.
        beat_failed: Called with the failure of a beat; then the attachment ends.
        silent: Called with an attachment that is silent, to end it, and with the seconds for which
            it has answered no command: 0 if only the subscription is silent.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        interval_s: float,
        beat: Callable[[Attachment], Coroutine[Any, Any, None]],
        beat_failed: Callable[[Failure], None],
        silent: Callable[[Attachment, float], None],
    ) -> None:
        self._reactor = reactor
        self._interval_s = interval_s
        self._do_beat = beat
        self._beat_failed = beat_failed
        self._silent = silent
        self._next: IDelayedCall | None = None
        self._unheard = 0
        self._unanswered = 0

    def start(self, attachment: Attachment) -> None:
        """Begin to beat for an attachment."""
        self._unheard = self._unanswered = 0
        self._beat_later(attachment)

    def stop(self) -> None:
        """Beat no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def heard_probe(self) -> None:
        """Note that the subscription works."""
        self._unheard = 0

    def heard_answer(self) -> None:
        """Note that commands are answered."""
        self._unanswered = 0

    def _beat_later(self, attachment: Attachment) -> None:
        self._next = self._reactor.callLater(self._interval_s, self._beat, attachment)

    def _beat(self, attachment: Attachment) -> None:
        if self._unheard >= _UNHEARD:
            self._silent(attachment, min(self._unheard, self._unanswered) * self._interval_s)
            return
        self._unheard += 1
        self._unanswered += 1
        self._beat_later(attachment)
        done = Deferred.fromCoroutine(self._do_beat(attachment))
        done.addErrback(self._failed, attachment)

    def _failed(self, failure: Failure, attachment: Attachment) -> None:
        self._beat_failed(failure)
        attachment.end(failure.getErrorMessage())
