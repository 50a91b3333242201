"""`Listener`: makes the changes of the other daemons of a chat on this daemon, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic

from chatd.backplane.interface import LinkState
from chatd.chat.hub import Hub
from chatd.chat.moderation import Bans
from chatd.chat.questions import (
    AccessChanged,
    BanLifted,
    BanMade,
    EndSessions,
    Question,
    Renamed,
    Returned,
    question_of,
)
from chatd.chat.rooms import M
from chatd.chat.sharedclaims import SharedClaims
from chatd.errors import ErrorCode
from chatd.storage.values import Head
from chatd.wire.messages import Message, MessageType

__all__ = ["Listener"]


class Listener(Generic[M]):
    """Implements `chatd.backplane.interface.IBackplaneListener`.

    Args:
        hub: The chat of this daemon.
        bans: The bans in force.
        claims: The names of the sessions of this daemon.
        linked: Called when the link to the backplane is lost, or works again.
        failed: Called with an unexpected error.
    """

    def __init__(
        self,
        hub: Hub[M],
        bans: Bans,
        claims: SharedClaims,
        linked: Callable[[LinkState], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._hub = hub
        self._roster = hub.roster
        self._bans = bans
        self._claims = claims
        self._linked = linked
        self._failed = failed

    def heard(self, stream: str, messages: Sequence[Message]) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            self._hub.heard(stream, messages)

    def moved(self, stream: str, head: Head) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            room = self._roster.room_at(stream)
            if room is not None:
                room.stand_at(head)
                told = f"messages in {room.name} may be lost; come back to learn which"
                self._send_back(list(room.members.values()), told)

    def missed(self, stream: str, seq: int) -> None:
        """See `IBackplaneListener`.

        The sessions end, because a client may ignore an EVENT that it does not know, and then it
        would not notice the gap.
        """
        with self._noting_failures():
            room = self._roster.room_at(stream)
            if room is not None:
                told = f"this server missed messages in {room.name}; come back to get the rest"
                self._send_back(room.behind(seq), told)
                room.skip_to(seq)

    def stands(self, stream: str, head: Head) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            room = self._roster.room_at(stream)
            if room is not None:
                room.topic = head.topic

    def heard_event(self, stream: str, event: Mapping[str, Any], but: str) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            room = self._roster.room_at(stream)
            if room is not None:
                if event.get("event") == "topic":
                    room.topic = event["topic"]
                left_out = self._roster.here.get(but, {}).values()
                self._roster.publish_except(room, _event(event), left_out)

    def heard_direct(self, message: Message) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            self._hub.heard_direct(message)

    def directs_missed(self, names: Sequence[str]) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            for name in names:
                told = "this server missed direct messages; come back to get them"
                self._send_back(self._roster.sessions_of(name), told)

    def heard_for(self, name: str, event: Mapping[str, Any]) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            self._roster.delivery.tell_all(self._roster.sessions_of(name), _event(event))

    async def asked(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """See `IBackplaneListener`; the answer has the number of `sessions` concerned."""
        sessions = 0
        asked = question_of(question)
        if isinstance(asked, AccessChanged):
            await self._roster.access.follow()
        with self._noting_failures():
            sessions = self._answer(asked)
        return {"sessions": sessions}

    def _answer(self, question: Question | None) -> int:
        if isinstance(question, EndSessions):
            return self._roster.end_all(question.ending)
        if isinstance(question, AccessChanged):
            return self._roster.follow(question.change)
        if isinstance(question, BanMade):
            self._bans.hear(question.ban)
        elif isinstance(question, BanLifted):
            self._bans.forget(question.target)
        elif isinstance(question, Renamed):
            found = map(self._roster.rooms.get, question.rooms)
            rooms = [room for room in found if room is not None]
            self._roster.tell_renamed(rooms, question.old_name, question.name)
        elif isinstance(question, Returned):
            self._roster.away.end(self._roster.sessions_of(question.name))
        return 0

    def names_lost(self, sessions: Sequence[str]) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            self._claims.lose(sessions)
            lost = set(sessions)
            told = (
                "another session took the name while this server had no link to the other servers"
            )
            for here in list(self._roster.here.values()):
                for member in [each for each in here.values() if each.id in lost]:
                    self._roster.delivery.end(member, ErrorCode.NAME_TAKEN, told)

    def presence_limit(self) -> int:
        """See `IBackplaneListener`."""
        return self._roster.policy.presence_limit

    def present(self) -> Sequence[tuple[str, str, str, bool]]:
        """See `IBackplaneListener`."""
        return [
            (held.session, held.name, self._away_of(held.session, held.name), held.is_account)
            for held in self._claims
        ]

    def rooms_inside(self) -> Sequence[tuple[str, str]]:
        """See `IBackplaneListener`."""
        return [
            (room.stream, name) for room in self._roster.rooms.values() for _, name in room.names()
        ]

    def linked(self, state: LinkState) -> None:
        """See `IBackplaneListener`."""
        with self._noting_failures():
            self._linked(state)

    def _send_back(self, members: Iterable[M], why: str) -> None:
        """End sessions whose clients must join a room again."""
        for member in members:
            self._roster.delivery.end(member, ErrorCode.NOT_STORED, why, retry=True)

    def _away_of(self, session: str, name: str) -> str:
        members = self._roster.sessions_of(name)
        return next((each.away.text for each in members if each.id == session and each.away), "")

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # else the link would break, and nobody hears the rest
            self._failed(error)


def _event(fields: Mapping[str, Any]) -> Message:
    return Message(MessageType.EVENT, dict(fields))
