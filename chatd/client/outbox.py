"""`Outbox`: the messages that a client of a service sends, until each has its receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.client.answers import PendingAnswers
from chatd.client.outage import Outage
from chatd.client.progress import Progress
from chatd.errors import ErrorCode, LocalProtocolError, RequestError
from chatd.wire.messages import Message

__all__ = ["Asking", "Outbox"]


class Asking(Protocol):
    """Sends a frame that the server answers; see `ClientSession._ask`."""

    def __call__(self, id: str, message: Message, answer: Deferred[Any]) -> Deferred[Any]:
        """Send the frame."""


class Outbox:
    """The messages that a client of a service sends, until each has its receipt.

    They are sent in the order in which the program gave them, in this session and the next ones.
    They wait until the session has resumed, and while the server cannot store them.

    Args:
        clock: The reactor, or a test's clock.
        progress: Keeps the messages.
        answers: The answers that this session waits for.
        ask: Sends a message.
        tell_error: Tells the program of the refusal of a message that nobody waits for.
        tell_held: Tells the program of the refusal that begins an outage.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        progress: Progress,
        answers: PendingAnswers,
        ask: Asking,
        tell_error: Callable[[RequestError], object],
        tell_held: Callable[[RequestError], object],
    ) -> None:
        self._progress = progress
        self._answers = answers
        self._ask = ask
        self._tell_error = tell_error
        self._is_open = False
        self._outage = Outage(clock, tell_held, self._send_first, self._send_all, self._give_up)

    @property
    def is_waiting(self) -> bool:
        """Whether the server has still to answer a message of this session."""
        return bool(self._answers.unconfirmed) or self._outage.is_on

    def open(self) -> None:
        """Send the messages without a receipt again: the session has resumed."""
        self._is_open = True
        self._send_all()

    def send(self, message: Message) -> Deferred[Message]:
        """Send a message as soon as possible.

        Returns:
            A Deferred that fires with the receipt.

        Raises:
            LocalProtocolError: See `Sending.send`.
        """
        answer = self._progress.keep(message)
        id = message.id
        assert id is not None
        # One that was cancelled is sent already, and may be sent again with its id.
        if self._is_open and not self._outage.is_on and id not in self._answers:
            try:
                self._ask(id, message, answer)
            except LocalProtocolError:
                self._answers.forget(id)
                raise
        return answer

    def keeps(self, refusal: RequestError) -> bool:
        """Return whether a message is kept though the server refused it, to be sent again later."""
        if refusal.code != ErrorCode.NOT_STORED or not self._answers.keep_unsent(refusal.ref):
            return False
        self._outage.refused(refusal)
        return True

    def settle(self) -> None:
        """Send what was held, if all messages before it are answered."""
        if self._outage.is_on and not self._answers.unconfirmed:
            self._outage.all_answered()

    def close(self) -> None:
        """Send nothing more in this session."""
        self._is_open = False
        self._outage.stop()

    def _send_first(self) -> bool:
        """Send the first message that waits; return False if there is none."""
        return any(self._send_kept(id) for id in list(self._progress.unconfirmed))

    def _send_all(self) -> None:
        for id in list(self._progress.unconfirmed):
            self._send_kept(id)

    def _send_kept(self, id: str) -> bool:
        """Send a message that waits; return whether it was sent."""
        kept = self._progress.unconfirmed.get(id)
        if kept is None or id in self._answers or not self._is_open:
            return False
        try:
            self._ask(id, kept.message, kept.answer)
        except LocalProtocolError as error:  # this server has a lower limit
            self._answers.forget(id)
            if kept.answer.called:  # it was cancelled: nobody else tells
                self.log.warn("a message cannot be sent: {error}", error=error)
            else:
                kept.answer.errback(error)
            return False
        return True

    def _give_up(self, refusal: RequestError) -> None:
        """Fail all messages that wait."""
        for id in list(self._progress.unconfirmed):
            error = RequestError(refusal.code, refusal.message, ref=id)
            answer = self._answers.take_receipt(id)
            if answer is None:  # it was cancelled
                self._tell_error(error)
            else:
                answer.errback(error)
