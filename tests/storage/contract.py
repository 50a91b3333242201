"""The base of the contract tests, which every store must pass."""

import os
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest

from chatd.backplane.redis.backplane import RedisBackplane
from chatd.storage.values import Retention
from tests.backplane.redis.listeners import Notes
from tests.backplane.redis.servers import PROGRAM, RedisServer
from tests.storage.stores import Calls, StoreCase


class ContractCase(StoreCase):
    """A test of the contract of every store.

    `InMemory`, `InSqlite` or `InRedis`, beside it, makes the store.
    """

    make_store: Callable[..., Any]

    def store_with(self, retention=None, *said):
        """Return an open store with these entries."""
        self.store = Calls(self, self.make_store(retention or Retention()))
        self.say(*said)
        return self.store

    def say(self, *said):
        """Append entries, each at the time in its header."""
        now = self.now
        for time, group in groupby(said, key=lambda entry: entry.header.time):
            self.now = time
            self.store.append(list(group))
        self.now = now


if TYPE_CHECKING:
    ContractMixin = ContractCase
else:

    class ContractMixin:
        """The base of mixins for a `ContractCase`: to mypy that case, to test runners `object`."""


class InMemory(ContractMixin):
    """Makes the test's store in memory."""

    def make_store(self, retention):
        return self.make_memory(retention)


class InSqlite(ContractMixin):
    """Makes the test's store in a database."""

    def make_store(self, retention):
        return self.make_sqlite(retention)


class InRedis(ContractMixin):
    """Makes the test's store in Redis, which answers at once and takes the test's time."""

    def make_store(self, retention):
        if PROGRAM is None and os.environ.get("CHATD_TOOLS") != "all":
            raise SkipTest("needs the program redis-server")
        redis = RedisServer().start()
        self.addCleanup(redis.remove)
        store = RedisBackplane(Clock(), redis.dial_at_once, retention, unix_time=lambda: self.now)
        store.listen(Notes())
        store.open()
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(store.close())))
        return store
