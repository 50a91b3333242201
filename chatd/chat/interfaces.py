"""`Member`: someone who is in the chat, and `Delivery`: how members are reached."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from chatd.chat.answers import Answers
from chatd.chat.names import fold
from chatd.errors import RequestError
from chatd.wire.messages import Message

if TYPE_CHECKING:
    from chatd.chat.rooms import Room

__all__ = ["Audience", "Delivery", "M", "Member"]


class Member:
    """Someone who is in the chat.

    Attributes:
        id: What sets this member apart from every other, even of the same name.
        name: What the member is called.
        key: The folded name.
        address: Where the member comes from, as limits and bans count it.
        has_account: Whether the name is an account's, and proven.
        rooms: The rooms that the member is in, by their folded names; the first is the one that a
            message is for which names none.
        answers: What the member is owed for what it said.
    """

    __slots__ = (
        "address",
        "answers",
        "has_account",
        "id",
        "key",
        "name",
        "rooms",
    )

    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.address = ""
        self.has_account = False
        self.rooms: dict[str, Room[Any]] = {}
        self.answers = Answers()
        self.rename(name)

    def rename(self, name: str) -> None:
        """Give the member another name."""
        self.name = name
        self.key = fold(name)

    def all_answered(self) -> None:
        """Act on all that the member said having its answer."""


M = TypeVar("M", bound=Member)
"""What a member is, to those who carry what is said."""
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
