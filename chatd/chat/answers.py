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
        owed_bytes: How many bytes wait with them.
    """

    __slots__ = ("_answered", "_due", "_said", "owed", "owed_bytes")

    def __init__(self) -> None:
        self.owed = 0
        self.owed_bytes = 0
        self._said = 0
        self._answered = 0
        # Actions, each with the number of messages that must be answered first, and its bytes. None
        # as long as there was no action: an empty deque takes 624 bytes of each session.
        self._due: deque[tuple[int, Callable[[], None], int]] | None = None

    def expect(self, count: int = 1, size: int = 0) -> None:
        """Take note of messages, each of which will have one answer.

        Args:
            count: How many messages.
            size: The bytes of their contents.
        """
        self._said += count
        self.owed += count
        self.owed_bytes += size

    def then(self, act: Callable[[], None], size: int = 0) -> None:
        """Do an action once all messages until now are answered; at once if none is outstanding.

        Args:
            act: The action.
            size: The bytes that the action keeps until then.
        """
        if self.owed:
            if self._due is None:
                self._due = deque()
            self._due.append((self._said, act, size))
            self.owed += 1
            self.owed_bytes += size
        else:
            act()

    def answered(self, count: int = 1, size: int = 0) -> None:
        """Take note that the oldest outstanding messages are answered, and do the actions due now.

        No action may be due between two of these messages.

        If an action fails, the others are done all the same.

        Args:
            count: How many messages.
            size: The bytes of their contents, as `expect` was told.

        Raises:
            Exception: The error of the first action that failed.
        """
        self._answered += count
        self.owed -= count
        self.owed_bytes -= size
        failure: Exception | None = None
        while self._due and self._due[0][0] <= self._answered:
            _, act, size_of_act = self._due.popleft()
            self.owed -= 1
            self.owed_bytes -= size_of_act
            try:
                act()
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure
