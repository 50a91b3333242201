"""The tables of an open database, and the pruner for them."""

from __future__ import annotations

import sqlite3

from chatd.storage.sqlite.messagetable import MessageTable
from chatd.storage.sqlite.retention import Pruner
from chatd.storage.sqlite.roomtable import RoomTable
from chatd.storage.sqlite.streamtable import StreamTable
from chatd.storage.values import Retention

__all__ = ["Tables"]


class Tables:
    """The tables of an open database.

    Args:
        connection: The connection to the database.
        retention: How much of a stream is kept.

    Attributes:
        messages: The table `messages`.
        streams: The table `streams`.
        private_rooms: The tables `private_rooms` and `invited`.
        pruner: Applies the retention to the first two.
    """

    def __init__(self, connection: sqlite3.Connection, retention: Retention) -> None:
        self.messages = MessageTable(connection)
        self.streams = StreamTable(connection, self.messages)
        self.private_rooms = RoomTable(connection)
        self.pruner = Pruner(self.streams, self.messages, retention)
