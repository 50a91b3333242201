"""The contract of every store: private rooms and the names that are invited to them."""

from chatd.storage.privateroom import PrivateRoom
from tests.storage.contract import ContractCase, ContractMixin, InMemory, InRedis, InSqlite
from tests.storage.stores import LOBBY

DEN = PrivateRoom("den", "Den", frozenset({"ann", "bob"}))
ATTIC = PrivateRoom("attic", "Attic")


class PrivateContract(ContractMixin):
    def test_none(self):
        """A new store has no private room."""
        self.assertEqual(self.store_with().private_rooms(), [])

    def test_kept(self):
        """The store keeps private rooms with their names and their invited names, in order."""
        store = self.store_with()
        store.keep_private(DEN)
        store.keep_private(ATTIC)
        self.assertEqual(store.private_rooms(), [ATTIC, DEN])

    def test_replaced(self):
        """A private room replaces the room with the same key."""
        store = self.store_with()
        store.keep_private(ATTIC)
        store.keep_private(DEN)
        fewer = PrivateRoom("den", "DEN", frozenset({"bob", "cy"}))
        store.keep_private(fewer)
        self.assertEqual(store.private_rooms(), [ATTIC, fewer])

    def test_dropped(self):
        """A store forgets a dropped room with its invited names; unknown rooms may be dropped."""
        store = self.store_with()
        store.keep_private(DEN)
        store.keep_private(ATTIC)
        store.drop_private("den")
        store.drop_private("den")
        self.assertEqual(store.private_rooms(), [ATTIC])
        store.keep_private(PrivateRoom("den", "Den"))
        self.assertEqual(store.private_rooms()[1].invited, frozenset())

    def test_apart_from_the_stream(self):
        """A room stays private when its stream is released, and it is no room with messages."""
        store = self.store_with()
        lobby = PrivateRoom("lobby", "Lobby", frozenset({"ann"}))
        store.keep_private(lobby)
        store.open_stream(LOBBY, "Lobby")
        store.release(LOBBY)
        self.assertEqual(store.rooms(), [])
        self.assertEqual(store.private_rooms(), [lobby])


class MemoryPrivateTests(PrivateContract, InMemory, ContractCase):
    """The store in memory."""


class SqlitePrivateTests(PrivateContract, InSqlite, ContractCase):
    """The store in a database."""


class RedisPrivateTests(PrivateContract, InRedis, ContractCase):
    """The store in Redis."""
