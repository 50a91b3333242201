"""What the chat needs of those around it: `Delivery` reaches its members."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol, TypeVar

from chatd.chat.rooms import Member
from chatd.errors import RequestError
from chatd.wire.messages import Message

__all__ = ["Audience", "Delivery"]


T_co = TypeVar("T_co", covariant=True)
M_contra = TypeVar("M_contra", bound=Member, contravariant=True)


class Audience(Protocol[T_co]):
    """Those who are all told the same."""

    @property
    def members(self) -> Mapping[str, T_co]:
        """Who they are, by their ids."""


class Delivery(Protocol[M_contra]):
    """How members are reached; what one of them is told keeps its order."""

    def broadcast(self, audience: Audience[M_contra], message: Message) -> None:
        """Tell an audience something, all of it at the end of the turn."""

    def begin(self, audience: Audience[M_contra], member: M_contra) -> None:
        """Tell a member nothing of what was broadcast to an audience until now: it is new there."""

    def deliver_early(self, member: M_contra) -> None:
        """Tell a member all that was broadcast until now; call it before it leaves an audience."""

    def tell(self, member: M_contra, messages: Iterable[Message]) -> None:
        """Tell one member something, after all that was broadcast before."""

    def tell_all(self, members: Iterable[M_contra], message: Message) -> None:
        """Tell some members the same now, after all that was broadcast before."""

    def refuse(self, member: M_contra, error: RequestError) -> None:
        """Tell a member that what it asked is not done."""

    def end(self, member: M_contra, code: str, reason: str, *, retry: bool = False) -> None:
        """End a member's session, and say whether it may come back."""

    def drained(self, member: M_contra) -> Awaitable[None]:
        """Wait until a member has taken most of what it was told.

        Raises:
            SessionEnded: It never will.
        """
