"""What the SQLite store keeps in mind of its logs, so that an append need not ask for it."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy

import msgspec

from chatd.storage.interface import Head

__all__ = ["MAX_IDLE", "LogCache", "LogState", "direct_names", "is_room"]

MAX_IDLE = 10_000
"""How many logs that nobody has open are kept in mind."""

_ROOM = "room "
_DIRECT = "direct "


def is_room(key: str) -> bool:
    """Say whether a log's key is that of a room."""
    return key.startswith(_ROOM)


def direct_names(key: str) -> tuple[str | None, str | None]:
    """Return the two folded names in the key of a direct log; None twice for other logs."""
    if not key.startswith(_DIRECT):
        return None, None
    one, _, other = key.removeprefix(_DIRECT).partition(" ")
    return one, other


class LogState(msgspec.Struct, kw_only=True):
    """Where a log stands.

    Attributes:
        key: Its key.
        name: See `Head`.
        epoch: See `Head`.
        topic: See `Head`.
        id: Its number in the database, or None if nothing was said in it yet.
        seq: See `Head`.
        written_seq: The `seq` that is in the database.
        oldest: See `Head`.
        bytes: The size of the contents that are kept.
        first: The lowest place that may still be in the database.
        last_id: The id of the message at `seq`, kept or not; None where there was none.
        waste_bytes: How much was found to be no longer kept, and is not deleted yet.
    """

    key: str
    name: str
    epoch: str
    topic: str = ""
    id: int | None = None
    seq: int = 0
    written_seq: int = 0
    oldest: int = 1
    bytes: int = 0
    first: int = 1
    last_id: str | None = None
    waste_bytes: int = 0

    @property
    def kept(self) -> int:
        """How many messages are kept."""
        return self.seq - self.oldest + 1

    @property
    def head(self) -> Head:
        """Where it stands, for others."""
        return Head(
            name=self.name,
            epoch=self.epoch,
            seq=self.seq,
            oldest=self.oldest,
            topic=self.topic,
            last_id=self.last_id if self.kept else None,
        )

    @property
    def number(self) -> int:
        """Its number in the database, for one that is there."""
        assert self.id is not None
        return self.id

    def copied(self) -> LogState:
        """Return another that says the same."""
        return copy(self)


class LogCache:
    """The logs in mind: those that are open, and those that were asked for last.

    Args:
        max_idle: How many of those that are not open.
    """

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._open: dict[str, LogState] = {}
        self._idle: OrderedDict[str, LogState] = OrderedDict()  # the longest silent first

    def get(self, key: str) -> LogState | None:
        """Return a log that is in mind, or None."""
        log = self._open.get(key)
        if log is None:
            log = self._idle.get(key)
            if log is not None:
                self._idle.move_to_end(key)
        return log

    def put(self, log: LogState) -> None:
        """Keep a log in mind, in place of what was known of it."""
        if log.key in self._open:
            self._open[log.key] = log
            return
        self._idle[log.key] = log
        self._idle.move_to_end(log.key)
        if len(self._idle) > self._max_idle:
            self._idle.popitem(last=False)

    def renew(self, log: LogState) -> None:
        """Take note of where a log stands, if it is in mind."""
        for logs in (self._open, self._idle):
            if log.key in logs:
                logs[log.key] = log

    def forget(self, key: str) -> None:
        """Know of a log no more."""
        self._open.pop(key, None)
        self._idle.pop(key, None)

    def is_open(self, key: str) -> bool:
        """Say whether a log is open."""
        return key in self._open

    def hold(self, log: LogState) -> None:
        """Take note that a log is open: it stays in mind."""
        self._idle.pop(log.key, None)
        self._open[log.key] = log

    def loosen(self, key: str) -> None:
        """Take note that a log is no longer open."""
        log = self._open.pop(key, None)
        if log is not None:
            self.put(log)

    def forget_unsaid(self) -> None:
        """Forget the logs that are not open and in which nothing was said."""
        for key in [key for key, log in self._idle.items() if log.id is None]:
            del self._idle[key]
