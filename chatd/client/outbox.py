"""`Outbox`: the messages that a client of a service sends, until each has its receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.client.answers import PendingAnswers
from chatd.client.outage import Outage
from chatd.client.progress import Progress
from chatd.errors import ErrorCode, LocalProtocolError, RequestError
from chatd.wire.messages import Message

__all__ = ["Outbox", "Teller"]

_Failed = tuple["Deferred[Message] | None", "LocalProtocolError | RequestError"]
"""The Deferred of a message, None if it was cancelled, and why the message was not stored."""


class Teller(Protocol):
    """Tells the program what it cannot learn from a Deferred."""

    def tell_error(self, error: RequestError) -> None:
        """Tell the program of a refusal that nobody waits for."""

    def tell_held(self, refusal: RequestError) -> None:
        """Tell the program that messages wait until the server can store them."""

    def tell_released(self) -> None:
        """Tell the program that no message waits for the server any more."""


class Outbox:
    """The messages that a client of a service sends, until each has its receipt.

    They are sent in the order in which the program gave them, in this session and the next ones.
    They wait until the session has resumed, and while the server cannot store them.

    Args:
        teller: The session.
        clock: The reactor, or a test's clock.
        progress: Keeps the messages.
        answers: The answers that this session waits for.
        ask: Sends a message that the server answers.
        wake: Lets `settle` be called at the end of this turn.
    """

    log = Logger()

    def __init__(
        self,
        teller: Teller,
        clock: IReactorTime,
        progress: Progress,
        answers: PendingAnswers,
        *,
        ask: Callable[[str, Message, Deferred[Any]], object],
        wake: Callable[[], object],
    ) -> None:
        self._kept = progress.unconfirmed
        self._progress = progress
        self._answers = answers
        self._teller = teller
        self._ask = ask
        self._is_open = False
        self._outage = Outage(clock, progress.patience_s, wake)

    @property
    def is_waiting(self) -> bool:
        """Whether the server has still to answer a message of this session."""
        return bool(self._answers.unconfirmed) or self._outage.is_on

    def open(self) -> None:
        """Send the messages without a receipt again: the session has resumed."""
        self._is_open = True
        self._send_first(len(self._kept))

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

    def take(self, id: str | None, *, is_stored: bool = False) -> Deferred[Message] | None:
        """Return the Deferred that waits for a receipt, and forget the message.

        Args:
            id: The message's id.
            is_stored: Whether its receipt has come.

        Returns:
            The Deferred, or None if no message with this id waits.
        """
        if id is not None and self._outage.watches:
            if is_stored:
                self._outage.stored(id)
            else:
                self._outage.forget(id)
        return self._answers.take_receipt(id)

    def take_refusal(self, refusal: RequestError) -> bool:
        """Take the refusal of a message that is to be sent again; return False for others."""
        id = refusal.ref
        if refusal.code != ErrorCode.NOT_STORED or id not in self._kept:
            return False
        if not self._answers.hold(id):
            return self._outage.is_on  # it waits already
        was_on = self._outage.is_on
        if not self._outage.refused(id, refusal):
            self._tell(self._refuse([id], refusal))
        elif not was_on:
            self._teller.tell_held(refusal)
        return True

    def settle(self) -> None:
        """Send the next messages of an outage, or end it, at the end of a turn."""
        outage = self._outage
        while outage.is_on:
            if outage.has_lost_patience:
                self._give_up()
            elif self._answers.unconfirmed:
                return
            elif not self._kept:
                outage.end()
                self._teller.tell_released()
            elif size := outage.next_size():
                self._send_first(size)
            else:
                return

    def abandon(self) -> None:
        """Fail the messages that wait for the server's store: the session is about to end."""
        refusal = self._outage.refusal
        if self._outage.is_on and refusal is not None:
            self._outage.end()
            self._tell(self._refuse(self._waiting(), refusal))

    def close(self) -> None:
        """Send nothing more in this session: it is over."""
        self._outage.end()

    def _waiting(self) -> list[str]:
        return [id for id in self._kept if id not in self._answers]

    def _send_first(self, size: int) -> None:
        """Send the first messages that wait, and then fail those that cannot be sent here."""
        failed: list[_Failed] = []
        for id in self._waiting()[:size]:
            kept = self._kept[id]
            try:
                self._ask(id, kept.message, kept.answer)
            except LocalProtocolError as error:  # this server has a lower limit
                failed.append((self.take(id), error))
        self._tell(failed)

    def _give_up(self) -> None:
        """Try the messages a last time that were never refused, and then fail the others."""
        refusal = self._outage.refusal
        assert refusal is not None
        failed = self._refuse(self._outage.give_up(self._waiting()), refusal)
        self._send_first(len(self._kept))
        self._tell(failed)
        self._teller.tell_released()

    def _refuse(self, ids: Iterable[str], refusal: RequestError) -> list[_Failed]:
        """Remove messages, each with an error of its own."""
        code, text = refusal.code, refusal.message
        return [(self.take(id), RequestError(code, text, ref=id)) for id in ids]

    def _tell(self, failed: Iterable[_Failed]) -> None:
        """Fail messages; this may call the program, which may send others."""
        for answer, error in failed:
            if answer is not None:
                answer.errback(error)
            elif isinstance(error, RequestError):
                self._teller.tell_error(error)
            else:
                self.log.warn("a message cannot be sent: {error}", error=error)
