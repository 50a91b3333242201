"""The interactive client: messages appear above the line that is typed."""

from __future__ import annotations

import os
import time
from enum import Enum
from typing import Any

from prompt_toolkit.patch_stdout import patch_stdout
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.cli.aliases import ALIASES
from chatd.cli.colours import ink_for
from chatd.cli.commands import COMMANDS, act_on, is_command
from chatd.cli.completion import Words
from chatd.cli.console import ConsoleClient
from chatd.cli.days import seconds_to_midnight
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.interrupting import Interrupting
from chatd.cli.links import RETRY_POLICY
from chatd.cli.login import Login
from chatd.cli.notdone import NotDone
from chatd.cli.printable import plain
from chatd.cli.prompt import Interrupted, LinePrompt
from chatd.cli.recent import place_of
from chatd.cli.status import Status, explain
from chatd.cli.statusline import Standing, protection_of, status_line
from chatd.cli.suspending import suspend
from chatd.cli.talk import Talk
from chatd.cli.unseen import UnseenPrompt
from chatd.cli.window import Window
from chatd.cli.words import words_for
from chatd.client.endpoints import client_endpoint
from chatd.errors import ErrorCode, SessionEnded, SessionRefused
from chatd.transport.timer import Timer
from chatd.wire.messages import Message

__all__ = ["Terminal"]

_GATHER_S = 0.2  # a client that is back joins its rooms one after the other
_MAX_PROMPT = 20
"""Limit on the shown part of a room's name in the prompt, in characters."""


class _Link(Enum):
    """The connection to the server."""

    NEW = "new"
    """The first session has not begun."""
    UP = "up"
    LOST = "lost"
    """The person was told that the client reconnects."""


class Terminal:
    """A conversation at a terminal; it outlives the connection, and reconnects.

    It needs the asyncio reactor: the prompt runs on the same loop.

    Args:
        reactor: The reactor.
        endpoint: The endpoint string to connect to.
        login: The key, the name, the password and the rooms.
        ignored: The people whose messages are not shown.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str,
        login: Login,
        ignored: Ignored | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._midnight = Timer(reactor)
        self._protection = protection_of(endpoint, has_key=login.key is not None)
        interrupting = Interrupting(
            reactor.seconds, lambda: self._talk.display.note("press Ctrl+C again to quit")
        )
        self._prompt = LinePrompt(
            self._ask,
            status=self._status_line,
            words=self._words,
            is_command=is_command,
            go_to=self._go_to,
            interrupting=interrupting,
            stop=lambda: suspend(reactor.seconds, self._talk.display.note),
            screen_cleared=self._screen_cleared,
        )
        self._unseen = UnseenPrompt(interrupting.cancelled)
        self._status = Status.DONE
        self._link = _Link.NEW
        display = TextDisplay(
            self._prompt.print,
            with_time=True,
            with_rooms=lambda: self._talk.whereabouts.needs_room_names,
            ink=ink_for(os.environ, is_terminal=os.isatty(1)),
            columns=lambda: self._prompt.columns,
            with_cuts=True,
            is_here=self._is_here,
        )
        display.gather(lambda call: reactor.callLater(_GATHER_S, call))
        self._talk = Talk(
            reactor,
            client_endpoint(reactor, endpoint),
            login,
            display,
            client_ended=self._client_ended,
            retry_policy=self._delay,
            window=Window(
                redraw=self._prompt.redraw,
                hold=self._prompt.hold,
                ask_unseen=self._unseen.ask,
                clear=self._prompt.clear,
            ),
            ignored=ignored,
        )

    async def run(self) -> Status:
        """Converse until the person leaves or the server ends the session finally.

        Returns:
            The command's exit status.

        Raises:
            SessionEnded: The first attempt did not lead to a session.
            twisted.internet.error.ConnectError: No server listens there.
        """
        service = self._talk.service
        service.startService()
        try:
            await service.whenConnected(failAfterFailures=1)
            self._link = _Link.UP
            with patch_stdout(raw=True):  # received text has been through plain()
                self._wait_for_midnight()
                await self._converse()
                is_confirmed = await self._talk.leave()
                if self._status is Status.DONE and not is_confirmed:
                    self._status = Status.LOST
            return self._status
        finally:
            self._midnight.stop()
            await service.stopService()
            self._talk.display.flush()
            self._prompt.flush()

    async def _converse(self) -> None:
        while not self._talk.is_over:
            if self._unseen.is_wanted:
                await self._unseen.answer()
                continue
            try:
                line = await self._prompt.read_line()
            except EOFError:
                return
            except Interrupted:
                self._status = Status.INTERRUPTED
                return
            if line.strip() == "exit" and not self._prompt.is_pasted(line):
                return
            if self._prompt.held:
                self._talk.display.note(f"not sent: {self._prompt.held}; press Up to get the line")
            elif line.strip() and not self._talk.is_over:
                doing = Deferred.fromCoroutine(act_on(self._talk, line))
                doing.addErrback(self._not_done)

    def _wait_for_midnight(self) -> None:
        """Show the date now if the day has changed, and whenever another day begins."""
        self._talk.display.new_day()
        # A second more, in case that the reactor's clock is ahead.
        wait_s = seconds_to_midnight(time.time()) + 1
        self._midnight.start(wait_s, self._wait_for_midnight)

    def _ask(self) -> str:
        """Return the prompt."""
        room = plain(self._talk.whereabouts.room_to_tell or "")
        return f"{room[: _MAX_PROMPT - 1]}…> " if len(room) > _MAX_PROMPT else f"{room}> "

    def _status_line(self, width: int) -> str:
        talk = self._talk
        place, number, unread = talk.places.overview
        room = None if place is None or place.is_person else talk.states.of(place.name)
        standing = Standing(
            endpoint=self._endpoint,
            protection=self._protection,
            is_connected=talk.is_connected,
            waiting=talk.receipts.waiting,
            is_away=talk.away.is_away,
            name=talk.name,
            place=None if place is None else (number, place.title),
            is_private=room is not None and room.is_private,
            members=None if room is None else room.members,
            topic="" if room is None else room.topic,
            unread=unread,
        )
        return status_line(standing, width)

    def _words(self) -> Words:
        talk = self._talk
        arguments = {name: command.arguments for name, command in COMMANDS.items()}
        arguments |= {short: arguments[name] for short, name in ALIASES.items()}
        return words_for(talk.places, talk.states, talk.known, talk.name, arguments)

    def _is_here(self, message: Message, me: str) -> bool:
        """Return whether a message is in the history of the place that typed lines go to."""
        place = place_of(message, me)
        return place is not None and self._talk.places.is_current(place)

    def _go_to(self, number: int | None) -> None:
        places = self._talk.places
        place = places.next_unread if number is None else places.at(number)
        if place is not None:
            self._talk.whereabouts.go_to(place)

    def _screen_cleared(self) -> None:
        self._talk.reading.screen_cleared()
        self._talk.browsing.screen_cleared()

    def _not_done(self, failure: Failure) -> None:
        """Show why a line was not carried out; the Up key brings it back."""
        if failure.check(NotDone):
            self._talk.display.note(str(failure.value))
        else:
            self.log.failure("a command failed", failure)
            self._talk.display.note(
                f"internal error: {type(failure.value).__name__}: {failure.value}"
            )

    def _delay(self, attempt: int) -> float:
        """Return the seconds before the next attempt; tell once that the client reconnects."""
        if self._link is _Link.UP:
            self._link = _Link.LOST
            unsent = self._talk.receipts.outstanding
            many = "1 message waits" if unsent == 1 else f"{unsent} messages wait"
            after = f"; {many} for that" if unsent else ""
            self._talk.display.note(f"not connected; reconnecting{after}")
        return RETRY_POLICY(attempt)

    def _client_ended(self, client: ConsoleClient, end: SessionEnded) -> None:
        """Leave, if the server ended the session for good."""
        if client.name and self._link is _Link.LOST:
            self._link = _Link.UP  # it was, until now
        if self._link is _Link.NEW or end.code == ErrorCode.NAME_TAKEN:
            return  # `run` reports the first attempt; an old session may still hold the name
        was_refused = isinstance(end, SessionRefused)
        if not end.is_clean and not end.retry:
            self._status, why = explain(end, self._endpoint)
            if was_refused:
                self._talk.display.note(why)
            self._talk.is_over = True
            self._prompt.close()
