"""The base of the contract tests, which every store must pass."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatd.storage.values import Retention
from tests.storage.stores import Calls, StoreCase


class ContractCase(StoreCase):
    """A test of the contract of every store.

    `InMemory` or `InSqlite`, beside it, makes the store.
    """

    make_store: Callable[..., Any]

    def store_with(self, retention=None, *said):
        """Return an open store with these entries."""
        self.store = Calls(self, self.make_store(retention or Retention()))
        if said:
            self.store.append(list(said))
        return self.store


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
