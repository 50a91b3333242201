"""The messages of one transaction."""

from chatd.storage.values import Retention
from tests.storage.stores import SqliteCase, count_of, entries


class RepeatingTests(SqliteCase):
    def test_nothing_new(self):
        """The store answers a batch of repeated messages without a change of the database."""
        streams, database = self.make_streams()
        streams.append(entries(1, 2))
        before = database.connection.total_changes
        self.assertEqual([each.is_new for each in streams.append(entries(1, 2))], [False, False])
        self.assertEqual(database.connection.total_changes, before)

    def test_not_deleted_yet(self):
        """The id of a message that is no longer kept is free, even before its deletion."""
        streams, database = self.make_streams(Retention(max_messages=1))
        streams.append(entries(1, 2))
        self.assertEqual(count_of(database), 2)
        (outcome,) = streams.append(entries(1))
        self.assertEqual((outcome.is_new, outcome.message.seq), (True, 3))
        self.assertEqual(count_of(database), 2)
