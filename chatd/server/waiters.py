"""`SessionWaiters`: who waits for which client to come."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.chat.names import fold
from chatd.errors import SessionEnded
from chatd.server.session import Session

__all__ = ["SessionWaiters"]


class SessionWaiters:
    """Keeps those who wait until a client's session is active."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Deferred[Session]]] = {}

    def wait(self, name: str) -> Deferred[Session]:
        """Return a Deferred that fires with the next session of that name; it may be cancelled."""
        waiting = self._waiting.setdefault(fold(name), [])
        waiter: Deferred[Session] = Deferred(lambda _: waiting.remove(waiter))
        waiting.append(waiter)
        return waiter

    def tell(self, session: Session) -> None:
        """Tell those who wait for this session's client."""
        for waiter in self._waiting.pop(fold(session.name), ()):
            waiter.callback(session)

    def close(self, end: SessionEnded) -> None:
        """Tell all that nobody will come any more."""
        waiting, self._waiting = self._waiting, {}
        for waiters in waiting.values():
            for waiter in waiters:
                waiter.errback(end.again())
