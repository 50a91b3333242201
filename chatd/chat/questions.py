"""The questions of a daemon to the other daemons of its chat, over `IBackplane.ask_all`.

A daemon acts on a question before it answers. The answer has `sessions`: how many
sessions it ended, or removed from a room. If a daemon does not know a question, because it is of a
newer version, it answers that it had no such sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from chatd.chat.moderation import Ban, Target
from chatd.chat.shared import AccessChange, Ending

__all__ = [
    "AccessChanged",
    "BanLifted",
    "BanMade",
    "EndSessions",
    "Question",
    "Renamed",
    "Returned",
    "question_of",
    "sessions_in",
]


class Question(msgspec.Struct, frozen=True, tag_field="ask"):
    """A question to all other daemons."""

    @property
    def fields(self) -> dict[str, Any]:
        """The question as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields


class EndSessions(Question, frozen=True, tag="end"):
    """End sessions for an operator."""

    ending: Ending


class BanMade(Question, frozen=True, tag="ban"):
    """Put a ban in force that the backplane keeps."""

    ban: Ban


class BanLifted(Question, frozen=True, tag="unban"):
    """Lift a ban that the backplane has dropped."""

    target: Target


class AccessChanged(Question, frozen=True, tag="access"):
    """Put a change of a private room in force that the backplane keeps."""

    change: AccessChange


class Renamed(Question, frozen=True, tag="renamed"):
    """Tell the members of these rooms, by their folded names, about a member's new name."""

    rooms: list[str]
    old_name: str
    name: str


class Returned(Question, frozen=True, tag="returned"):
    """Forget the away texts of a folded name that is no longer away."""

    name: str


_Any = EndSessions | BanMade | BanLifted | AccessChanged | Renamed | Returned


def question_of(fields: Mapping[str, Any]) -> Question | None:
    """Return a question from another daemon; None if this version does not know it."""
    try:
        question: Question = msgspec.convert(dict(fields), _Any)
    except msgspec.ValidationError:
        return None
    return question


def sessions_in(answers: Iterable[Mapping[str, Any]]) -> int:
    """Return the sum of the sessions in some answers."""
    return sum(answer.get("sessions", 0) for answer in answers)
