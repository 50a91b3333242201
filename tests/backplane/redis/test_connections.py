"""The two connections to Redis, without Redis."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.connections import (
    Commands,
    LostError,
    Pushes,
    RefusedError,
    all_of,
)


class ConnectionCase(SynchronousTestCase):
    def connect(self, protocol):
        self.transport = StringTransport()
        self.lost: list[str] = []
        protocol.on_lost = self.lost.append
        protocol.makeConnection(self.transport)
        return protocol

    def lose(self, protocol):
        protocol.connectionLost(Failure(ConnectionDone()))


class CommandsTests(ConnectionCase):
    def test_replies(self):
        """Replies come in the order of the commands, whole or byte by byte."""
        commands = self.connect(Commands())
        asked = [commands.execute_command("GET", key, 1) for key in ("a", b"\xff")]
        sent = self.transport.value()
        self.assertEqual(
            sent,
            b"*3\r\n$3\r\nGET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nGET\r\n$1\r\n\xff\r\n$1\r\n1\r\n",
        )
        for byte in b"$2\r\n\xffb\r\n*2\r\n:1\r\n$-1\r\n":
            commands.dataReceived(bytes([byte]))
        self.assertEqual([self.successResultOf(each) for each in asked], [b"\xffb", [1, None]])

    def test_refused(self):
        """An error of Redis fails its command only."""
        commands = self.connect(Commands())
        first, second = commands.execute_command("BAD"), commands.execute_command("PING")
        commands.dataReceived(b"-ERR unknown command\r\n+PONG\r\n")
        self.assertEqual(
            str(self.failureResultOf(first, RefusedError).value), "ERR unknown command"
        )
        self.assertEqual(self.successResultOf(second), b"PONG")

    def test_password_wanted(self):
        """If Redis wants a password, the error names the option for it."""
        commands = self.connect(Commands())
        asked = commands.execute_command("PING")
        commands.dataReceived(b"-NOAUTH Authentication required.\r\n")
        self.assertEqual(
            str(self.failureResultOf(asked, RefusedError).value),
            "NOAUTH Authentication required; give its password in --backplane-password-file",
        )

    def test_cancelled(self):
        """A cancelled command keeps its place, so that the next reply is that of the next."""
        commands = self.connect(Commands())
        first, second = commands.execute_command("GET", "a"), commands.execute_command("GET", "b")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        commands.dataReceived(b"+a\r\n+b\r\n")
        self.assertEqual(self.successResultOf(second), b"b")

    def test_lost(self):
        """A lost connection is told before its commands fail, and takes no more commands."""
        commands = self.connect(Commands())
        order = []
        commands.on_lost = lambda reason: order.append("lost")
        asked = commands.execute_command("GET", "a")
        asked.addErrback(lambda failure: order.append(failure.type))
        self.lose(commands)
        self.assertEqual(order, ["lost", LostError])
        self.assertRaises(LostError, commands.execute_command, "PING")

    def test_abort(self):
        """Closing is told when it is done."""
        commands = self.connect(Commands())
        closed = commands.abort()
        self.assertNoResult(closed)
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)
        self.lose(commands)
        self.successResultOf(closed)
        self.successResultOf(commands.abort())

    def test_no_redis(self):
        """Bytes that are no reply end the connection, and so does a reply without a command."""
        for data, reason in ((b"HTTP/1.1 400\r\n", "no reply of Redis"), (b"+OK\r\n", "without")):
            commands = self.connect(Commands())
            commands.dataReceived(data)
            self.assertEqual(len(self.lost), 1)
            self.assertIn(reason, self.lost[0])
            self.assertTrue(self.transport.disconnected or self.transport.disconnecting)


class PushesTests(ConnectionCase):
    def setUp(self):
        self.pushes = self.connect(Pushes())
        self.heard: list[tuple[bytes, bytes]] = []
        self.pushes.on_push = lambda *push: self.heard.append(push)

    def test_subscribed(self):
        """A subscription is answered when its last channel is confirmed."""
        first = self.pushes.subscribe(["a", "b"])
        second = self.pushes.subscribe(["b"])
        self.pushes.dataReceived(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
        self.assertNoResult(first)
        self.pushes.dataReceived(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n")
        self.successResultOf(first)
        self.assertNoResult(second)
        self.lose(self.pushes)
        self.failureResultOf(second, LostError)

    def test_lost_before(self):
        """A subscription on a lost connection fails at once: no confirmation can come."""
        self.lose(self.pushes)
        with self.assertRaises(LostError):
            self.pushes.subscribe(["a"])

    def test_pushed(self):
        """Pushes are heard; confirmations of no interest are not; commands are answered."""
        asked = self.pushes.execute_command("AUTH", "secret")
        self.pushes.dataReceived(b"+OK\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\n\x00b\r\n")
        self.assertEqual(self.successResultOf(asked), b"OK")
        self.assertEqual(self.heard, [(b"a", b"\0b")])
        self.pushes.unsubscribe(["a"])
        self.pushes.dataReceived(b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n")
        self.pushes.dataReceived(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
        self.assertEqual(len(self.heard), 1)


class AllOfTests(SynchronousTestCase):
    def test_failed(self):
        """The first failure is raised as it is, and the others are no unhandled errors."""
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        waiting = Deferred.fromCoroutine(all_of([first, second]))
        second.errback(LostError("two"))
        first.errback(LostError("one"))
        self.assertEqual(str(self.failureResultOf(waiting, LostError).value), "two")
