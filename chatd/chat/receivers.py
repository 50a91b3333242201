"""`Receivers`: the people that direct messages are for, on any daemon of the chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from msgspec.structs import replace

from chatd.backplane.interface import Found, IBackplane
from chatd.chat import presence
from chatd.chat.commits import Start
from chatd.chat.names import fold
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.errors import StoreError
from chatd.storage.values import Entry
from chatd.wire.messages import Message

__all__ = ["Receivers"]

_NOBODY = Found("", 0)


class Receivers(Generic[M]):
    """Looks up the names that direct messages are for, before the messages are stored.

    Args:
        roster: The members of this daemon.
        backplane: Knows the sessions of all daemons.
        start: Runs a coroutine; see `chatd.chat.commits.Start`.
    """

    def __init__(self, roster: Roster[M], backplane: IBackplane, start: Start) -> None:
        self._roster = roster
        self._backplane = backplane
        self._start = start
        self._found: dict[str, Found] = {}  # for the messages that are stored now
        self._missed: list[tuple[M, Message]] = []
        self._is_looking = False

    async def address(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries; a direct message has the spelling of the receiver's session, if any.

        Raises:
            StoreError: The backplane does not answer.
        """
        names = [entry.header.to for entry in entries if entry.header.to is not None]
        if not names:
            return entries
        self._found = await self._find(names)
        return [self._addressed(entry) for entry in entries]

    def _addressed(self, entry: Entry) -> Entry:
        to = entry.header.to
        name = "" if to is None else self._found[fold(to)].name
        return replace(entry, header=replace(entry.header, to=name)) if name else entry

    def tell_if_unread(self, author: M, message: Message) -> None:
        """Tell the author of a message just stored that the receiver is not connected, or away."""
        assert message.to is not None
        found = self._found[fold(message.to)]
        if found.sessions:
            self._tell(author, message, found)
            return
        self._missed.append((author, message))
        if not self._is_looking:
            self._is_looking = True
            self._start(self._look_again())

    async def _look_again(self) -> None:
        """Tell the authors that nobody got their messages, unless the receiver has come meanwhile.

        The messages of the meantime are looked up together. If the backplane does not answer, it
        counts that nobody was there before the messages were stored.
        """
        try:
            while self._missed:
                missed, self._missed = self._missed, []
                try:
                    found = await self._find([message.to or "" for _, message in missed])
                except StoreError:
                    found = {}
                for author, message in missed:
                    key = fold(message.to or "")
                    self._tell(author, message, found.get(key, _NOBODY))
        finally:
            self._is_looking = False

    def _tell(self, author: M, message: Message, found: Found) -> None:
        assert message.to is not None
        assert message.id is not None
        key = fold(message.to)
        if not found.sessions:
            event = presence.absent(message.to, message.id)
        elif found.away is not None and self._roster.away.is_news(author, key, found.away[0]):
            event = presence.away(message.to, found.away[1], message.id)
        else:
            return
        if self._roster.is_here(author):
            self._roster.delivery.tell(author, (event,))

    async def _find(self, names: Sequence[str]) -> dict[str, Found]:
        keys = list(dict.fromkeys(map(fold, names)))
        return dict(zip(keys, await self._backplane.find(keys), strict=True))
