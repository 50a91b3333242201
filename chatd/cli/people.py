"""`People`: learns who is in the rooms, and whether the own name is away.

It writes what it learns into `RoomStates` and `AwayText`, and knows neither the places nor what is
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.names import fold
from chatd.cli.awaytext import AwayText
from chatd.cli.roomstates import RoomState, RoomStates
from chatd.cli.window import Window
from chatd.client.client import ChatClient
from chatd.client.results import Joined, PersonInfo
from chatd.errors import RequestError, SessionEnded

__all__ = ["People"]


class People:
    """Learns who is in the rooms, and whether the own name is away.

    Args:
        states: The states of the rooms.
        away: Marks the person as away; another session of the name may do that too.
        window: The terminal; it is redrawn when the server has answered.
    """

    log = Logger()

    def __init__(self, states: RoomStates, away: AwayText, window: Window) -> None:
        self._states = states
        self._away = away
        self._window = window

    def room_joined(self, client: ChatClient, joined: Joined) -> None:
        """Begin the state of a joined room, and ask for its people."""
        state = self._states.joined(joined.room)
        state.topic, state.members = joined.topic, joined.members or None
        learning = Deferred.fromCoroutine(self.learn(client, joined.room))
        learning.addErrback(self._not_learnt)

    async def learn(self, client: ChatClient, room: str) -> None:
        """Ask for the number of members of a room, for their names, and whether it is private.

        Nothing changes if the server refuses. It answers a very long list in parts; the first part
        is enough to complete names.
        """
        state = self._states.of(room)
        with suppress(RequestError, SessionEnded):
            self._note(client.name, state, await client.command("who", room=room))
        self._window.redraw()

    def _note(self, me: str, state: RoomState, result: Mapping[str, Any]) -> None:
        members, names = result.get("members"), result.get("names")
        if type(members) is not int or not isinstance(names, list):
            return
        state.members = members
        state.is_private = result.get("private") is True
        known = [name for name in names if isinstance(name, str)]
        state.list(known)
        own = next((name for name in known if fold(name) == fold(me)), None)
        texts = result.get("away", {})
        if own is not None and isinstance(texts, dict):
            self._away.learn(str(texts.get(own, "")))

    async def of(self, client: ChatClient, room: str) -> list[PersonInfo]:
        """Return the people in a room.

        Raises:
            RequestError: The server refuses.
            SessionEnded: The session ended first.
        """
        people = await client.people(room)
        for person in people:
            if fold(person.name) == fold(client.name):
                self._away.learn(person.away)
                self._window.redraw()
        return people

    def _not_learnt(self, failure: Failure) -> None:
        self.log.failure("listing the people of a room failed", failure)
