"""The names and the presence of people in a backplane in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

from chatd.backplane.interface import Found, Inside
from chatd.chat.names import fold
from chatd.errors import RequestError
from chatd.storage.streamkeys import ROOM_PREFIX
from tests.backplane.memorynode import MemoryNode


class Claim(NamedTuple):
    """A session's claim of a name."""

    node: Any
    name: str
    is_account: bool
    away: Any = None


class MemoryPeople(MemoryNode):
    """Names and presence as a node sees and changes them."""

    # Names

    async def claim(self, names, session, *, is_account, bans):
        await self.ready("claim")
        if any(map(self.shared.is_banned, bans)):
            raise RequestError("banned", "you are banned from this server")
        for name in names:
            claims = self.shared.names.setdefault(fold(name), {})
            if may_claim(claims, is_account):
                claims[session] = Claim(self, name, is_account)
                return name
        raise RequestError("name-taken", "none of the names is free")

    def depart(self, session, name):
        self.later("depart", self._depart, session, name)

    def _depart(self, session, name):
        self.shared.names.get(fold(name), {}).pop(session, None)

    async def set_away(self, session, name, text):
        await self.ready("set_away")
        claims = self.shared.names[fold(name)]
        if text:
            away = (next(self.shared.away_numbers), text)
            claims[session] = claims[session]._replace(away=away)
        else:
            for each in claims:
                claims[each] = claims[each]._replace(away=None)

    async def find(self, names):
        await self.ready("find")
        return [self._found(name) for name in names]

    def _found(self, key):
        claims = list(self.shared.names.get(key, {}).values())
        if not claims:
            return Found("", 0)
        away = max((claim.away for claim in claims if claim.away), default=None)
        return Found(claims[0].name, len(claims), away)

    # Presence

    def enter(self, stream, name, *, is_silent=False):
        self.later("enter", self._enter, stream, name, is_silent)

    def _enter(self, stream, name, is_silent=False):
        inside = self.shared.inside.setdefault(stream, {})
        key = fold(name)
        is_new = key not in inside
        inside.setdefault(key, {})[self] = name
        if is_new and self._announces(inside, is_silent):
            room = self.shared.head_of(stream).name
            self.shared.announce(stream, {"event": "joined", "room": room, "name": name}, key)

    def quit(self, stream, name, *, why, is_silent=False):
        self.later("quit", self._quit, stream, name, why, is_silent)

    def _quit(self, stream, name, why, is_silent=False):
        inside = self.shared.inside.get(stream, {})
        is_told = self._announces(inside, is_silent)
        nodes = inside.get(fold(name), {})
        spelled = nodes.pop(self, name)
        if not nodes and inside.pop(fold(name), None) is not None and is_told:
            room = self.shared.head_of(stream).name
            self.shared.announce(stream, {"event": "left", "room": room, "name": spelled, **why})

    def _announces(self, inside, is_silent):
        return not is_silent and len(inside) <= self.listener.presence_limit()

    async def count(self, streams):
        await self.ready("count")
        return [len(self.shared.inside.get(stream, {})) for stream in streams]

    async def inside(self, stream, after, *, limit):
        await self.ready("inside")
        inside = self.shared.inside.get(stream, {})
        names = []
        for key in sorted(key for key in inside if key > after)[:limit]:
            found = self._found(key)
            names.append(
                (key, next(iter(inside[key].values())), found.away[1] if found.away else "")
            )
        return Inside(names, len(inside))

    async def peopled(self, after="", *, limit):
        await self.ready("peopled")
        streams = sorted(
            stream
            for stream, inside in self.shared.inside.items()
            if inside and stream > ROOM_PREFIX + after
        )
        return [
            (self.shared.head_of(stream), len(self.shared.inside[stream]))
            for stream in streams[:limit]
        ]

    # The lease

    def give_up_people(self):
        """Free the names of this node's sessions, and take them out of their rooms."""
        for claims in self.shared.names.values():
            for session in [id for id, claim in claims.items() if claim.node is self]:
                del claims[session]
        for stream, inside in self.shared.inside.items():
            for key in [key for key, nodes in inside.items() if self in nodes]:
                self._quit(stream, key, {})

    def claim_again(self):
        """Claim the names of this node's sessions, and return the sessions that lost theirs."""
        lost = []
        for session, name, away, is_account in self.listener.present():
            claims = self.shared.names.setdefault(fold(name), {})
            if session not in claims and not may_claim(claims, is_account):
                lost.append(session)
                continue
            number = (next(self.shared.away_numbers), away) if away else None
            claims[session] = Claim(self, name, is_account, number)
        return lost

    def enter_again(self):
        """Enter the rooms of this node's sessions."""
        for stream, name in self.listener.rooms_inside():
            self._enter(stream, name)


def may_claim(claims, is_account):
    """Return whether a session may claim a name that these sessions have."""
    return not claims or (is_account and all(claim.is_account for claim in claims.values()))
