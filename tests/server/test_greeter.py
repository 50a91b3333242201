"""Tests of `chatd.server.greeter`."""

from uuid import UUID

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.server.greeter import Greeter
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.wire.bounds import MAX_HEARTBEAT_S
from chatd.wire.codec import Codec
from chatd.wire.messages import MessageType
from tests.fakes.peers import KEY


class GreeterTests(SynchronousTestCase):
    def greeter(self, heartbeat_s=7.0, key=None):
        limits = Limits(handshake_timeout_s=3.0)
        return Greeter(Keyring(key, 100_000), Clock(), heartbeat_s, limits)

    def greeting(self, *, takes_passwords):
        """Greet, and return the greeting."""
        connection = self.greeter().greet(takes_passwords=takes_passwords)
        codec = Codec()
        reader = codec.reader()
        reader.receive_data(connection.data_to_send())
        (message,) = codec.decode_stream(reader)
        self.assertEqual(message.type, MessageType.SESSION_INIT)
        return message.header

    def test_greeting(self):
        """The greeting tells the server's terms."""
        header = self.greeting(takes_passwords=True)
        self.assertEqual((header.heartbeat, header.max_content, header.auth), (7.0, 100_000, True))
        self.assertIs(self.greeting(takes_passwords=False).auth, False)

    def test_ids(self):
        """Each session has its own UUID."""
        greeter = self.greeter()
        ids = {greeter.greet(takes_passwords=False).session_id for _ in range(3)}
        self.assertEqual(len({UUID(each) for each in ids}), 3)

    def test_with_a_key(self):
        """With a key, the server sends no byte in the clear."""
        connection = self.greeter(key=KEY).greet(takes_passwords=True)
        self.assertNotIn(b"session_id", connection.data_to_send())

    def test_handshake(self):
        """The server refuses a client that does not answer in time."""
        connection = self.greeter().greet(takes_passwords=False)
        connection.tick(2.9)
        self.assertIsNone(connection.end_reason)
        connection.tick(3.0)
        self.assertEqual(connection.end_reason.code, "handshake-timeout")

    def test_heartbeat(self):
        """The server refuses an interval that no client accepts."""
        for heartbeat_s in (0.0, -1.0, 2 * MAX_HEARTBEAT_S):
            with self.assertRaises(ConfigurationError):
                self.greeter(heartbeat_s)
