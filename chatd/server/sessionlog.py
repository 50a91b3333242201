"""The log lines about the beginning and the end of each session, and about refused passwords.

`docs/reference/log.md` has their format, which programs such as fail2ban read. Names, codes and
reasons can come from the client: they are escaped and cut, so a client cannot forge a line.
"""

from __future__ import annotations

import re

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.names import MAX_NAME
from chatd.connection.states import Trigger
from chatd.errors import RequestError, SessionEnded
from chatd.server.limits import Limits
from chatd.server.logpace import LINES_AT_ONCE, LogPace

__all__ = ["MAX_LOGGED_CODE", "MAX_LOGGED_REASON", "SessionLog", "logged_code"]

MAX_LOGGED_CODE = 64
"""How much of a code is logged, in characters."""
MAX_LOGGED_REASON = 200
"""How much of a reason is logged, in characters."""

_CODE = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


def logged_code(code: str) -> str:
    """Return a code for the log: as it is if it has the form of chatd's codes, else in quotes."""
    return code if _CODE.fullmatch(code) else _quoted(code, MAX_LOGGED_CODE)


def _quoted(text: str, most: int) -> str:
    """Return a text in quotes, cut; escapes, which a client can provoke, take as much again."""
    text = text[:most]
    while len(repr(text)) > 2 * most:
        text = text[: len(text) * 3 // 4]
    return repr(text)


class SessionLog:
    """Logs one line when a session begins, and one when a connection or a session ends.

    The lines of an address are bounded. Sessions have a larger bound, so that all sessions that an
    address may have can begin and end at once.

    Args:
        clock: The reactor, or a test's clock.
        limits: The bound on the sessions of an address.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        at_once = 2 * limits.max_sessions_per_address
        self._of_sessions = LogPace(clock, "sessions", at_once)
        self._of_others = LogPace(clock, "connections without a session", LINES_AT_ONCE)

    def finish(self) -> None:
        """Log now how many lines were left out, because an address had too many."""
        self._of_sessions.finish()
        self._of_others.finish()

    def established(self, who: object, address: str, name: str) -> None:
        """Log that a session has begun."""
        if not self._of_sessions.may_log(address):
            return
        self.log.info(
            "{who}: established: address={address} name={name!r}",
            who=who,
            address=address,
            name=name,
        )

    def password_refused(self, who: object, error: RequestError, address: str, name: str) -> None:
        """Log that a session could not change the password of its account."""
        if not self._of_sessions.may_log(address):
            return
        self.log.info(
            "{who}: password refused: code={code} address={address} name={name!r} reason={reason}",
            who=who,
            code=error.code,
            address=address,
            name=name,
            reason=_quoted(error.message, MAX_LOGGED_REASON),
        )

    def client_error(self, who: object, code: str, *, address: str, is_established: bool) -> None:
        """Log that a client reported an error of the server; its text may quote a message.

        Args:
            who: The session.
            code: The code, as the client sent it.
            address: See `over`.
            is_established: Whether the session is established.
        """
        if not self._pace_of(is_established).may_log(address):
            return
        self.log.info(
            "{who}: client's error: code={code} address={address}",
            who=who,
            code=logged_code(code),
            address=address,
        )

    def over(
        self,
        who: object,
        end: SessionEnded,
        trigger: Trigger | None,
        *,
        address: str,
        name: str,
        was_established: bool,
    ) -> None:
        """Log the end of a session, or of a connection that never had a session.

        Args:
            who: The session.
            end: The reason of the end.
            trigger: The trigger of the end.
            address: The client's address, in the form that `/ban` takes.
            name: The client's name, or the name that it asked for; empty if there is none.
            was_established: Whether the session was established.
        """
        if not self._pace_of(was_established).may_log(address):
            return
        if was_established:
            what = "ended"
        else:
            what = "refused" if trigger is Trigger.ENDED else "not established"
        self.log.info(
            "{who}: {what}: code={code} address={address} name={name} reason={reason}",
            who=who,
            what=what,
            code=logged_code(end.code),
            address=address,
            name=_quoted(name, MAX_NAME),
            reason=_quoted(end.reason, MAX_LOGGED_REASON),
        )

    def _pace_of(self, is_established: bool) -> LogPace:
        return self._of_sessions if is_established else self._of_others
