"""What the tests share that every store must pass."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatd.storage.values import Retention
from tests.storage.stores import Calls, StoreCase


class ContractCase(StoreCase):
    """A test of what every store promises.

    `InMemory` or `InSqlite`, beside it, makes the store.
    """

    make_store: Callable[..., Any]

    def store_with(self, retention=None, *said):
        """A store that is open, with something said in it."""
        self.store = Calls(self, self.make_store(retention or Retention()))
        if said:
            self.store.append(list(said))
        return self.store


if TYPE_CHECKING:
    ContractMixin = ContractCase
else:

    class ContractMixin:
        """What is mixed into a `ContractCase`: to mypy it is that case, to the runners nothing."""


class InMemory(ContractMixin):
    """Has a test make its store in memory."""

    def make_store(self, retention):
        return self.make_memory(retention)


class InSqlite(ContractMixin):
    """Has a test make its store in a database."""

    def make_store(self, retention):
        return self.make_sqlite(retention)
