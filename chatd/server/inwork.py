"""`InWork`: bounds a client's messages that have no answer yet."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.chat.answers import Answers
from chatd.chat.commits import MAX_BATCH
from chatd.server.limits import Limits

__all__ = ["InWork"]


class InWork:
    """Bounds a client's unanswered messages, and calls back when all have their answers.

    Args:
        limits: The limits of messages and bytes.
    """

    def __init__(self, limits: Limits) -> None:
        self._max_messages = limits.max_in_work
        self._max_bytes = limits.max_in_work_bytes
        self._answering: Deferred[None] | None = None

    def left(self, answers: Answers) -> tuple[int, int]:
        """Return how many messages may still be read, and how many bytes until it is too much."""
        most = min(self._max_messages - answers.owed, MAX_BATCH)
        return most, self._max_bytes - answers.owed_bytes

    def is_too_much(self, answers: Answers) -> bool:
        """Return whether too many messages or bytes wait for answers."""
        return answers.owed >= self._max_messages or answers.owed_bytes >= self._max_bytes

    def when_answered(self) -> Deferred[None]:
        """Return a Deferred that fires with None when all have their answers.

        Only one caller can wait at a time.
        """
        assert self._answering is None
        self._answering = Deferred()
        return self._answering

    def answered(self) -> None:
        """Note that all messages have their answers."""
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.callback(None)
