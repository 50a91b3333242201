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
        self.assertTrue(store.keep_private(DEN, instead_of=None))
        self.assertTrue(store.keep_private(ATTIC, instead_of=None))
        self.assertEqual(store.private_rooms(), [ATTIC, DEN])

    def test_replaced(self):
        """A private room replaces the room with the same key."""
        store = self.store_with()
        store.keep_private(ATTIC, instead_of=None)
        store.keep_private(DEN, instead_of=None)
        fewer = PrivateRoom("den", "DEN", frozenset({"bob", "cy"}))
        self.assertTrue(store.keep_private(fewer, instead_of=DEN))
        self.assertEqual(store.private_rooms(), [ATTIC, fewer])

    def test_changed_meanwhile(self):
        """A room that is not as the caller believes stays as it is."""
        store = self.store_with()
        more = PrivateRoom("den", "Den", frozenset({"ann", "bob", "cy"}))
        other = PrivateRoom("den", "Den", frozenset({"ann", "cy"}))
        spelled = PrivateRoom("den", "DEN", DEN.invited)
        self.assertFalse(store.keep_private(more, instead_of=DEN))
        self.assertFalse(store.drop_private(DEN))
        self.assertEqual(store.private_rooms(), [])
        store.keep_private(DEN, instead_of=None)
        for believed in (None, more, other, spelled, PrivateRoom("den", "Den")):
            self.assertFalse(store.keep_private(more, instead_of=believed))
            if believed is not None:
                self.assertFalse(store.drop_private(believed))
        self.assertEqual(store.private_rooms(), [DEN])

    def test_empty(self):
        """A room without invited names is changed like others."""
        store = self.store_with()
        store.keep_private(ATTIC, instead_of=None)
        self.assertTrue(store.keep_private(PrivateRoom("attic", "ATTIC"), instead_of=ATTIC))
        self.assertTrue(store.drop_private(PrivateRoom("attic", "ATTIC")))
        self.assertEqual(store.private_rooms(), [])

    def test_dropped(self):
        """A store forgets a dropped room with its invited names."""
        store = self.store_with()
        store.keep_private(DEN, instead_of=None)
        store.keep_private(ATTIC, instead_of=None)
        self.assertTrue(store.drop_private(DEN))
        self.assertFalse(store.drop_private(DEN))
        self.assertEqual(store.private_rooms(), [ATTIC])
        store.keep_private(PrivateRoom("den", "Den"), instead_of=None)
        self.assertEqual(store.private_rooms()[1].invited, frozenset())

    def test_apart_from_the_stream(self):
        """A room stays private when its stream is released, and it is no room with messages."""
        store = self.store_with()
        lobby = PrivateRoom("lobby", "Lobby", frozenset({"ann"}))
        store.keep_private(lobby, instead_of=None)
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
