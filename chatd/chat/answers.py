"""`Answers`: the order of the answers that a session gets.

Each message of a session has one answer: a receipt or an error. Some answers wait for the store.
Everything else that the session gets, such as a refusal or the end of the session, waits until all
messages before it are answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["Answers"]


class Answers:
    """The answers that one session still waits for.

    Attributes:
        owed: How many answers and actions are outstanding; see `expect` and `then`.
    """

    __slots__ = ("_answered", "_due", "_said", "owed")

    def __init__(self) -> None:
        self.owed = 0
        self._said = 0
        self._answered = 0
        # Actions, each with the number of messages that must be answered first. None as long as
        # there was no action: an empty deque takes 624 bytes of each session.
        self._due: deque[tuple[int, Callable[[], None]]] | None = None

    def expect(self, count: int = 1) -> None:
        """Take note of messages, each of which will have one answer."""
        self._said += count
        self.owed += count

    def then(self, act: Callable[[], None]) -> None:
        """Do an action once all messages until now are answered; at once if none is outstanding."""
        if self.owed:
            if self._due is None:
                self._due = deque()
            self._due.append((self._said, act))
            self.owed += 1
        else:
            act()

    def answered(self, count: int = 1) -> None:
        """Take note that the oldest outstanding messages are answered, and do the actions due now.

        No action may be due between two of these messages.

        If an action fails, the others are done all the same.

        Raises:
            Exception: The error of the first action that failed.
        """
        self._answered += count
        self.owed -= count
        failure: Exception | None = None
        while self._due and self._due[0][0] <= self._answered:
            _, act = self._due.popleft()
            self.owed -= 1
            try:
                act()
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure
