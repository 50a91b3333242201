"""State machines: a table of transitions, and the function that looks changes up in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

from chatd.errors import LocalProtocolError

__all__ = ["advance_in"]

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


def advance_in(subject: str, transitions: Mapping[tuple[S, T], S]) -> Callable[[S, T], S]:
    """Return a function that takes a state and a trigger, and returns the state after it.

    The function raises a `LocalProtocolError` if the table has no such transition.

    Args:
        subject: The name of the machine in that error, such as "a session". The values of the
            states and triggers complete it: "a session that is closed cannot be greeted".
        transitions: The table.
    """

    def advance(state: S, trigger: T) -> S:
        try:
            return transitions[state, trigger]
        except KeyError:
            raise LocalProtocolError(
                f"{subject} that is {state.value} cannot be {trigger.value}"
            ) from None

    return advance
