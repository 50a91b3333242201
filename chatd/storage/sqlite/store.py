"""`SqliteStore`: keeps messages in an SQLite database, in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import CancelledError, DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from chatd.errors import StoreError
from chatd.storage.interface import IMessageStore
from chatd.storage.privateroom import PrivateRoom
from chatd.storage.runner import StoreRunner
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.values import (
    DirectHead,
    Durability,
    Entry,
    Head,
    Outcome,
    Page,
    Retention,
    StreamPosition,
)

__all__ = ["SQLITE_RETENTION", "SqliteStore"]

SQLITE_RETENTION = Retention()
"""The default retention of a stream on SQLite."""
MAX_READERS = 2
"""The most reads that wait for the database at once, and so the most that an append waits for."""

T = TypeVar("T")


@implementer(IMessageStore)
class SqliteStore:
    """Keeps messages in ``chatd.db``, in a directory that no other daemon uses.

    A store that is closed, or that was never opened, answers with `StoreError`.

    Args:
        directory: The directory; it is made with mode 0700 if it is missing.
        retention: How much of a stream is kept.
        durability: The failures that an answered append survives.
        run: Runs the functions that block, such as a `StoreThread`; it is started and stopped
            with the store.
        unix_time: Returns the time by which messages age, in Unix seconds.
    """

    log = Logger()

    def __init__(
        self,
        directory: str | Path,
        retention: Retention = SQLITE_RETENTION,
        *,
        durability: Durability,
        run: StoreRunner,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._directory = Path(directory).absolute()
        self._retention = retention
        self._database = Database(directory, durability)
        self._streams = SqliteStreams(self._database, retention, unix_time)
        self._runner = run
        self._is_open = False

    def open(self) -> None:
        """See `IMessageStore`; it blocks until the database is open."""
        self._streams.open()
        try:
            self._runner.start()
        except BaseException:
            self._streams.close()
            raise
        self._report()
        self._readers = DeferredSemaphore(MAX_READERS)
        self._is_open = True

    def _report(self) -> None:
        """Log what was found, and what the start did to it."""
        database, found = self._database, self._streams.found
        if not database.old_version:
            self.log.info("{directory} is new, and has no messages", directory=self._directory)
            return
        self.log.info(
            "messages in {directory}: {messages} (rooms: {rooms}, pairs of names: {pairs})",
            directory=self._directory,
            messages=found.messages,
            rooms=found.rooms,
            pairs=found.pairs,
        )
        if database.old_version != database.version:
            self.log.info(
                "the tables of {path} were updated from version {old} to {new}",
                path=database.path,
                old=database.old_version,
                new=database.version,
            )
        if self._streams.dropped:
            self.log.info(
                "messages deleted: {dropped}; each room and pair keeps at most {messages} messages "
                "(--keep-messages), {days:g} days (--keep-days) and {bytes} bytes (--keep-bytes)",
                dropped=self._streams.dropped,
                messages=self._retention.max_messages,
                days=self._retention.max_age_s / 86_400,
                bytes=self._retention.max_bytes,
            )
        if database.was_put_back:
            self.log.warn(
                "{directory} is not as its last run left it, but a copy: all rooms and direct "
                "messages have new epochs, and clients that come back get all kept messages",
                directory=self._directory,
            )
            if not database.was_stopped:
                self.log.warn(
                    "the copy was made while a daemon ran, or after it was killed: if chatd.db was "
                    "copied without chatd.db-wal, the newest messages are missing"
                )

    async def close(self) -> None:
        """See `IMessageStore`.

        If this is cancelled while reads are under way, the files stay open until the process ends;
        that loses no message.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            for _ in range(MAX_READERS):  # after all reads that wait
                await self._readers.acquire()
            await self._runner(self._streams.close)
        except CancelledError:  # the caller waits no longer, so do not wait for the thread
            raise
        except BaseException:
            self._runner.stop()
            raise
        self._runner.stop()

    async def open_stream(self, stream: str, name: str) -> Head:
        """See `IMessageStore`."""
        return await self._run(partial(self._streams.open_stream, stream, name))

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `IMessageStore`."""
        return await self._run(partial(self._streams.append, list(entries)))

    async def read(
        self,
        stream: str,
        *,
        after: int | StreamPosition | None = None,
        before: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `IMessageStore`."""
        return await self._look_up(
            partial(
                self._streams.read,
                stream,
                after=after,
                before=before,
                limit=limit,
                max_bytes=max_bytes,
            )
        )

    async def set_topic(self, stream: str, topic: str) -> None:
        """See `IMessageStore`."""
        await self._run(partial(self._streams.set_topic, stream, topic))

    async def release(self, stream: str) -> None:
        """See `IMessageStore`."""
        await self._run(partial(self._streams.release, stream))

    async def rooms(self, after: str = "", *, limit: int) -> list[Head]:
        """See `IMessageStore`."""
        return await self._look_up(partial(self._streams.rooms, after, limit))

    async def conversations(self, author: str, after: str = "", *, limit: int) -> list[DirectHead]:
        """See `IMessageStore`."""
        return await self._look_up(partial(self._streams.conversations, author, after, limit))

    async def private_rooms(self) -> list[PrivateRoom]:
        """See `IMessageStore`."""
        return await self._run(self._streams.private_rooms)

    async def keep_private(self, room: PrivateRoom, *, instead_of: PrivateRoom | None) -> bool:
        """See `IMessageStore`."""
        return await self._run(partial(self._streams.keep_private, room, instead_of=instead_of))

    async def drop_private(self, room: PrivateRoom) -> bool:
        """See `IMessageStore`."""
        return await self._run(partial(self._streams.drop_private, room))

    async def expire(self) -> None:
        """See `IMessageStore`; other calls run in between."""
        place = await self._run(self._streams.expire_some)
        while place is not None and self._is_open:
            place = await self._run(partial(self._streams.expire_some, place))

    async def _look_up(self, function: Callable[[], T]) -> T:
        self._check_open()
        readers = self._readers
        await readers.acquire()
        try:
            return await self._runner(function)
        finally:
            readers.release()

    async def _run(self, function: Callable[[], T]) -> T:
        self._check_open()
        return await self._runner(function)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError("the store is not open")
