"""The interfaces of the objects that the chat is given: deliveries, people and locks."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from chatd.chat.rooms import Member
from chatd.errors import RequestError
from chatd.wire.messages import Message

__all__ = ["Audience", "Delivery", "Lock", "Person"]

T_co = TypeVar("T_co", covariant=True)
M_contra = TypeVar("M_contra", bound=Member, contravariant=True)


class Audience(Protocol[T_co]):
    """A group of members that get the same messages, such as a room."""

    @property
    def members(self) -> Mapping[str, T_co]:
        """The members, by their ids."""


class Delivery(Protocol[M_contra]):
    """Sends messages to members; each member gets them in the order of the calls."""

    def broadcast(self, audience: Audience[M_contra], messages: Sequence[Message]) -> None:
        """Send messages to an audience, at the end of the turn."""

    def begin(self, audience: Audience[M_contra], member: M_contra) -> None:
        """Treat this turn's earlier broadcasts as already delivered to a new member."""

    def deliver_early(self, member: M_contra) -> None:
        """Send a member all earlier broadcasts now; called before it leaves an audience."""

    def tell(self, member: M_contra, messages: Iterable[Message]) -> None:
        """Send messages to one member, after all earlier broadcasts."""

    def tell_all(self, members: Iterable[M_contra], message: Message) -> None:
        """Send a message to some members now, after all earlier broadcasts."""

    def refuse(self, member: M_contra, error: RequestError) -> None:
        """Send a member the ERROR for a message or command that the server refuses."""

    def end(self, member: M_contra, code: str, reason: str, *, retry: bool = False) -> None:
        """End a member's session; `retry` tells the client whether it may come back."""

    def drained(self, member: M_contra) -> Awaitable[None]:
        """Wait until a member has read most of the data that was sent to it.

        Raises:
            SessionEnded: The session has ended.
        """


class Person(Protocol):
    """Somebody whose rights are checked: a member, or a client that asks for a session."""

    @property
    def key(self) -> str:
        """The folded name."""

    @property
    def has_account(self) -> bool:
        """Whether the person logged in to the account of that name."""


class Lock(Protocol):
    """A lock that its users get in the order of their calls, such as Twisted's `DeferredLock`."""

    def __aenter__(self) -> Awaitable[object]:
        """Wait for the lock."""

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Awaitable[bool | None]:
        """Release the lock."""
