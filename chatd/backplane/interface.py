"""`IBackplane`: what the daemons of a chat share, and `IBackplaneListener`, which hears of it.

A backplane is a store of messages that several daemons use at once. It also keeps their common
state: the session that has a name, the names in each room, and the bans. Each daemon is a
*node* of the backplane.

(epoch, seq) is the only order of a stream. Each node has a position in each room that it has open.
Pushes and the answers of appends and reads move it forward in steps of one, in whatever order
they arrive. The node drops a message before the position, and reads the messages of a gap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
from zope.interface import Interface

from chatd.storage.interface import IMessageStore
from chatd.storage.values import Head, Retention
from chatd.wire.messages import Message

__all__ = [
    "BACKPLANE_RETENTION",
    "Found",
    "IBackplane",
    "IBackplaneListener",
    "Inside",
    "KeptBan",
    "LinkState",
]

BACKPLANE_RETENTION = Retention(max_bytes=4 * 1024 * 1024)
"""The default retention of a stream: with Redis, all of it is in memory."""


class KeptBan(msgspec.Struct, frozen=True):
    """A ban, as the backplane keeps it.

    Attributes:
        key: Names the banned sessions; a ban replaces an earlier ban with the same key.
        until: The end of the ban in Unix seconds; None if it does not end.
        value: The rest of the ban, which the backplane does not read.
    """

    key: str
    until: float | None
    value: bytes


class Found(msgspec.Struct, frozen=True):
    """A name on all nodes.

    Attributes:
        name: The name as a session spells it: the session with the newest away text, if there is
            such a text; else any session. Empty if no session has the name.
        sessions: How many sessions on all nodes have the name.
        away: The newest away text of these sessions with its number, or None. Numbers rise with
            each text of any node.
    """

    name: str
    sessions: int
    away: tuple[int, str] | None = None


class Inside(msgspec.Struct, frozen=True):
    """A part of the names that are in a room.

    Attributes:
        names: The folded name, the name and the away text (or empty) of each, in the order of the
            folded names.
        count: How many names are in the room, on all nodes.
    """

    names: list[tuple[str, str, str]]
    count: int


class IBackplane(IMessageStore):
    """A store of messages that several daemons share, and the names, presence and bans of all.

    As a store, it differs in three points. `append` gives messages their `time` by the backplane's
    clock, and ignores the time in the entries' headers. From `open_stream` of a room to `release`,
    this node hears the room. And whenever `open_stream`, `append` or `read` answers for an open
    room, the listener has heard every message up to the place that the answer shows, except the new
    messages of the append itself: `append` returns them as outcomes, and does not tell them to the
    listener.

    `open` begins to attach to the backplane; until that is done, and while the link is lost, calls
    wait for a short time and then raise `StoreError`. Each method that returns an Awaitable may
    raise it; then nobody knows whether the call was done.
    """

    def listen(listener: IBackplaneListener) -> None:
        """Set the listener; called once, before `open`."""

    # Names

    def claim(
        names: Sequence[str], session: str, *, is_account: bool, bans: Sequence[str]
    ) -> Awaitable[str]:
        """Give a session the first of these names that is free.

        A name that belongs to an account may have several sessions, all of the account. A name
        whose node is dead is free. The claim holds until `depart`, or the end of this node's lease.

        Args:
            names: The names, in composed form.
            session: The session's id.
            is_account: Whether the session logged in to the account of the name.
            bans: The keys of the bans that would keep the session out.

        Raises:
            RequestError: `name-taken` if none is free; `banned` for a ban in force.
        """

    def depart(session: str, name: str) -> None:
        """Give up a session's claim of a name, and its away text, after all earlier calls."""

    def set_away(session: str, name: str, text: str) -> Awaitable[None]:
        """Set the away text of a session; an empty text ends those of all sessions of the name."""

    def find(names: Sequence[str]) -> Awaitable[list[Found]]:
        """Return the sessions and the away text of each of these folded names."""

    # Presence

    def enter(stream: str, name: str, *, is_silent: bool = False) -> None:
        """Note that sessions of a name on this node are in an open room; done in the calls' order.

        If the name was not in the room on any node, each node's listener hears the EVENT `joined`,
        except for the sessions of that name. A room with more names than the listener's
        `presence_limit` announces nothing.

        Args:
            stream: The key of the room's stream.
            name: The name.
            is_silent: Whether the arrival is not announced.
        """

    def quit(stream: str, name: str, *, why: Mapping[str, str], is_silent: bool = False) -> None:
        """Note that no session of a name on this node is in a room any more.

        If the name is in the room on no other node, each node's listener hears the EVENT `left`;
        see `enter`.

        Args:
            stream: See `enter`.
            name: See `enter`.
            why: Further fields of the EVENT.
            is_silent: Whether the departure is not announced.
        """

    def count(streams: Sequence[str]) -> Awaitable[list[int]]:
        """Return how many names are in each room, after all earlier `enter` and `quit`."""

    def inside(stream: str, after: str, *, limit: int) -> Awaitable[Inside]:
        """Return the names in a room whose folded names follow `after`, and the number of all."""

    def peopled(after: str = "", *, limit: int) -> Awaitable[list[tuple[Head, int]]]:
        """Return the rooms with names in them: the head, and the number of names.

        They come in the order of the rooms' folded names, after the folded name `after`.
        """

    # Bans

    def bans() -> Awaitable[list[KeptBan]]:
        """Return all bans."""

    def keep_ban(ban: KeptBan) -> Awaitable[None]:
        """Keep a ban, which every later claim checks; drop the bans that have ended."""

    def drop_ban(key: str) -> Awaitable[bool]:
        """Lift a ban, and return whether a ban with this key was in force."""

    # Words between nodes

    def tell_room(stream: str, event: Mapping[str, Any], *, but: str = "") -> None:
        """Send an EVENT for a room to every node's listener; see `IBackplaneListener`."""

    def tell_topic(stream: str, event: Mapping[str, Any]) -> Awaitable[None]:
        """Set a room's topic, and send the EVENT `topic` about it to every node's listener.

        The EVENTs come in the order in which the topics were set.
        """

    def tell_name(name: str, event: Mapping[str, Any]) -> None:
        """Send an EVENT for the sessions of a name to the other nodes that have some."""

    def ask_all(question: Mapping[str, Any]) -> Awaitable[list[dict[str, Any]]]:
        """Ask the listener of every other live node, and return their answers.

        The answer of a node is missing if its lease ends first, or if the node takes some seconds.
        """


class LinkState(msgspec.Struct, frozen=True):
    """The state of the link to the backplane.

    Attributes:
        is_up: Whether it works.
        reason: The reason why it does not work; empty if it works.
    """

    is_up: bool
    reason: str = ""


class IBackplaneListener(Interface):
    """Hears of changes on the backplane; no method but `asked` waits for anything, or raises."""

    def heard(stream: str, messages: Sequence[Message]) -> None:
        """Hear messages of an open room that other nodes appended; each once, in order.

        If the answer of an append of this node is lost, the listener hears that message, too.
        """

    def moved(stream: str, head: Head) -> None:
        """Hear that an open room has another epoch: messages may be lost.

        The members must join again, to learn which messages they miss.
        """

    def missed(stream: str, seq: int) -> None:
        """Hear that this node misses messages of an open room, up to a place.

        They were kept, but the retention dropped them before this node heard them: it was cut off,
        or stood still, for too long. Members that do not have them from elsewhere must join again,
        to learn what they miss. The kept messages after the place are heard next.
        """

    def stands(stream: str, head: Head) -> None:
        """Hear where an open room stands, when the backplane has attached anew.

        Its messages up to there were heard before, but perhaps no EVENT of the meantime.
        """

    def heard_event(stream: str, event: Mapping[str, Any], but: str) -> None:
        """Hear an EVENT for the members of an open room, except those with the folded name `but`.

        The event `topic` also sets the room's topic.
        """

    def heard_direct(message: Message) -> None:
        """Hear a direct message that another node appended, for sessions of its two names."""

    def directs_missed(names: Sequence[str]) -> None:
        """Hear that sessions of these folded names may have missed direct messages.

        The messages are kept. The sessions must come back, to read them.
        """

    def heard_for(name: str, event: Mapping[str, Any]) -> None:
        """Hear an EVENT for the sessions of a folded name."""

    def asked(question: Mapping[str, Any]) -> Coroutine[Any, Any, dict[str, Any]]:
        """Answer another node's question.

        Raises:
            StoreError: The answer needs the backplane, which does not work; nothing is answered.
        """

    def names_lost(sessions: Sequence[str]) -> None:
        """Hear that these sessions of this node no longer have their names.

        The node's lease ended, and other sessions took the names.
        """

    def presence_limit() -> int:
        """Return the most names of a room that announces arrivals and departures."""

    def present() -> Sequence[tuple[str, str, str, bool]]:
        """Return the id, the name, the away text and `has_account` of each session of this node.

        The backplane claims their names again when it attaches anew.
        """

    def rooms_inside() -> Sequence[tuple[str, str]]:
        """Return the stream and the name for each room and name with sessions of this node in it.

        The backplane enters them again when it attaches anew.
        """

    def linked(state: LinkState) -> None:
        """Hear that the link is lost, or works again."""
