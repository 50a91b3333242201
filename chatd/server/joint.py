"""Joins a server to the others of its chat, if its store is a backplane."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import classImplements

from chatd.backplane.interface import IBackplane, IBackplaneListener, LinkState
from chatd.chat.commits import Start
from chatd.chat.hub import Hub
from chatd.chat.listener import Listener
from chatd.chat.moderation import Bans
from chatd.chat.onedaemon import OneDaemon
from chatd.chat.rooms import M
from chatd.chat.roster import Roster
from chatd.chat.severaldaemons import SeveralDaemons
from chatd.chat.shared import Shared
from chatd.errors import ErrorCode
from chatd.storage.interface import IMessageStore
from chatd.transport.timer import Timer

__all__ = ["LinkPatience", "listen", "share"]

classImplements(Listener, IBackplaneListener)  # the chat itself imports nothing of zope


class LinkPatience:
    """Ends the sessions of a server whose link to the backplane stays lost.

    Args:
        clock: The reactor, or a test's clock.
        patience_s: How long sessions go on without the link, in seconds.
        end_all: Ends all sessions, with a code and a reason; their clients may come back.
    """

    def __init__(
        self, clock: IReactorTime, patience_s: float, end_all: Callable[[str, str], None]
    ) -> None:
        self._timer = Timer(clock)
        self._patience_s = patience_s
        self._end_all = end_all

    def changed(self, state: LinkState) -> None:
        """Take note that the link is lost, or works again."""
        if state.is_up:
            self._timer.stop()
        elif not self._timer.is_running:
            self._timer.start(self._patience_s, self._lose_patience)

    def stop(self) -> None:
        """End no more sessions."""
        self._timer.stop()

    def _lose_patience(self) -> None:
        self._end_all(ErrorCode.NOT_STORED, "this server has lost its link to the other servers")


def share(store: IMessageStore, roster: Roster[M], bans: Bans, start: Start) -> Shared[M]:
    """Return the part that the daemons of a chat have in common, or that of a single daemon."""
    if IBackplane.providedBy(store):
        return SeveralDaemons(roster, bans, store, start)
    return OneDaemon(roster, bans)


def listen(
    hub: Hub[M],
    bans: Bans,
    patience: LinkPatience,
    start: Start,
    failed: Callable[[Exception], None],
    works_again: Callable[[], None],
) -> None:
    """Listen to the other daemons of the chat, if there are others.

    Args:
        hub: The chat of this daemon.
        bans: The bans in force.
        patience: Learns of the state of the link.
        start: Runs a coroutine.
        failed: Called with an unexpected error.
        works_again: Called when the link works again.
    """
    shared = hub.roster.shared
    if not isinstance(shared, SeveralDaemons):
        return

    def linked(state: LinkState) -> None:
        patience.changed(state)
        if state.is_up:
            works_again()
            start(shared.read_again())

    listener = Listener(hub, bans, shared.claims, linked, failed)
    shared.backplane.listen(IBackplaneListener(listener))
