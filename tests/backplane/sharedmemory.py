"""What the nodes of a backplane in memory share, and what of it comes late."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any

from chatd.storage.memory import MEMORY_RETENTION, MemoryStore
from tests.backplane.memorybackplane import MemoryBackplane
from tests.backplane.memorynode import json_copy, now
from tests.chat.slowstore import SlowStore


class SharedMemory:
    """What the nodes share.

    Args:
        retention: How much of a stream is kept.
        store: Keeps the messages; by default a new store.
        unix_time: Returns the backplane's time in Unix seconds; by default `now`.
        is_late: Whether every call, and whatever others did, waits until `carry_on`.

    Attributes:
        now: The backplane's time, in Unix seconds.
        store: Keeps the messages. If it has a `failure`, every call fails.
    """

    def __init__(self, retention=MEMORY_RETENTION, *, store=None, unix_time=None, is_late=False):
        self.retention = retention
        self.now = 1_000_000.0
        self.unix_time = unix_time or (lambda: self.now)
        self.store = store or self._new_store()
        self.store.is_held = self.is_open
        self.is_late = is_late
        self.nodes = []
        self.names = {}  # the claims of each folded name, by session
        self.inside = {}  # the names in each stream's room: by the folded name, then by node
        self.bans = {}
        self.away_numbers = count(1)
        self._waiting: deque[Any] = deque()
        self._is_carrying_on = False

    def node(self):
        """Return the backplane of another daemon."""
        node = MemoryBackplane(self)
        self.nodes.append(node)
        return node

    def is_open(self, stream):
        """Return whether a node has a stream open."""
        return any(stream in node.positions for node in self.nodes)

    # What is late

    @property
    def owes(self):
        """Whether something waits for `carry_on`."""
        return bool(self._waiting)

    def soon(self, act):
        """Do something, after all that waits."""
        if self.is_late:
            self._waiting.append(act)
        else:
            act()

    def carry_on(self):
        """Do all that waits, in its order, and all that comes of it."""
        if not self._is_carrying_on:
            self._is_carrying_on = True
            while self._waiting:
                self.carry_one()
            self._is_carrying_on = False

    def carry_one(self):
        """Do the first thing that waits."""
        self._waiting.popleft()()

    def lose_messages(self):
        """Lose all messages: each room gets another epoch."""
        open_rooms = {key for node in self.nodes for key in node.positions}
        names = {key: self.head_of(key).name for key in open_rooms}
        self.store = self._new_store()
        self.store.is_held = self.is_open
        for key, name in names.items():
            now(self.store.open_stream(key, name))
        for node in self.nodes:
            for key in list(node.positions):
                node.push(lambda node=node, key=key: node.fill(key))

    def announce(self, stream, event, but=""):
        """Tell the nodes that have a room open of an EVENT."""
        for node in self.nodes:
            node.push(
                lambda node=node: (
                    node.listener.heard_event(stream, json_copy(event), but)
                    if stream in node.positions
                    else None
                )
            )

    def head_of(self, stream):
        """Return where a stream stands."""
        return now(MemoryStore.read(self.store, stream, limit=1, max_bytes=1)).head

    def is_banned(self, key):
        """Return whether a ban with a key is in force."""
        ban = self.bans.get(key)
        return ban is not None and (ban.until is None or ban.until > self.unix_time())

    def _new_store(self):
        return SlowStore(self.retention, unix_time=self.unix_time)
