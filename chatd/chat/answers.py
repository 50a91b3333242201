"""`Answers`: what a session is owed, and in which order.

A session says things, and each has an answer: a receipt, or an error. Some answers wait for the
store. Whatever else the session is told meanwhile, such as that a message is refused, or the end of
the session, has its point between them: it comes when all that was said before has its answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["Answers"]


class Answers:
    """What one session is owed.

    Attributes:
        owed: How many answers are owed, what is due between them included.
    """

    __slots__ = ("_answered", "_due", "_said", "owed")

    def __init__(self) -> None:
        self.owed = 0
        self._said = 0
        self._answered = 0
        # What is to be done when so much is answered.
        self._due: deque[tuple[int, Callable[[], None]]] = deque()

    def expect(self) -> None:
        """Take note that something was said, which will have one answer."""
        self._said += 1
        self.owed += 1

    def then(self, act: Callable[[], None]) -> None:
        """Do something when all that was said until now has its answer: at once, if it has."""
        if self.owed:
            self._due.append((self._said, act))
            self.owed += 1
        else:
            act()

    def answered(self) -> None:
        """Take note that the oldest of what was said has its answer; do what is due then.

        What is due is done, all of it, also if a part of it fails.

        Raises:
            Exception: What the first part that failed raised.
        """
        self._answered += 1
        self.owed -= 1
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
