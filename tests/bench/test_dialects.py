"""The peers' protocols: messages can be parsed, and joining ends with the peer's last answer."""

import json
import socket
import threading

import pytest
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from bench.dialects.base import payload
from bench.dialects.floor import FloorLine
from bench.dialects.irc import IrcLine
from bench.dialects.mqtt import MqttLine
from bench.dialects.nats import NatsLine
from bench.dialects.redis import RedisLine
from bench.floor_server import Floor

CONTENT = payload(100)
COUNT = 20
FIRST = 0xF0000000
CONTENTS = [b"%08x%b" % (FIRST + number, CONTENT[8:]) for number in range(COUNT)]


class NoDelayTransport(StringTransport):
    """A transport in memory that takes the floor's socket option."""

    no_delay = False

    def setTcpNoDelay(self, enabled):
        self.no_delay = enabled


class ScriptedPeer:
    """An end of a socket pair that gives scripted answers, piece by piece."""

    def __init__(self, case, script):
        self.link, self._far = socket.socketpair()
        self.link.settimeout(5)
        self._far.settimeout(5)
        self._script = script
        self.asked = []
        case.addCleanup(self.link.close)
        case.addCleanup(self._far.close)

    def run(self, call):
        """Answer during `call`, and read to its end."""
        thread = threading.Thread(target=self._answer)
        thread.start()
        try:
            call()
        finally:
            thread.join(5)

    def say(self, data):
        """Send data unasked."""
        self._far.sendall(data)

    def left(self):
        """The data that the line has not read."""
        self.link.setblocking(False)
        try:
            return self.link.recv(65536)
        except BlockingIOError:
            return b""

    def _answer(self):
        for end, answers in self._script:
            asked = b""
            while not asked.endswith(end):
                asked += self._far.recv(65536)
            self.asked.append(asked)
            for answer in answers:
                self._far.sendall(answer)


class DialectTestCase(SynchronousTestCase):
    def line(self, dialect, link=None):
        """A line in #r0, by default without a connection."""
        if link is None:
            link, far = socket.socketpair()
            self.addCleanup(link.close)
            self.addCleanup(far.close)
        return dialect(link, "m0x1", "#r0")

    def joined(self, dialect, *script, speaks=False):
        """A line that has joined by a script, and its peer."""
        peer = ScriptedPeer(self, script)
        line = self.line(dialect, peer.link)
        peer.run(line.join_to_speak if speaks else line.join)
        return line, peer

    def pieces(self, dialect):
        """The encoding of `CONTENTS`, cut into equal lengths."""
        data = self.line(dialect).encode(FIRST, COUNT, CONTENT)
        size, rest = divmod(len(data), COUNT)
        self.assertEqual(rest, 0)
        return [data[start : start + size] for start in range(0, len(data), size)]


class FloorLineTests(DialectTestCase):
    def test_encode(self):
        """Each message is a length of four bytes and the content."""
        expected = [b"\x00\x00\x00\x64" + content for content in CONTENTS]
        self.assertEqual(self.pieces(FloorLine), expected)

    def test_join(self):
        """The room is the first frame, and the whole answer is read."""
        answers = [b"\x00\x00\x00", b"\x02o", b"k"]
        _, peer = self.joined(FloorLine, (b"#r0", answers))
        self.assertEqual(peer.asked, [b"\x00\x00\x00\x03#r0"])
        self.assertEqual(peer.left(), b"")


class FloorTests(SynchronousTestCase):
    def setUp(self):
        self.rooms = {}

    def client(self):
        """Connect a client of the floor."""
        floor, transport = Floor(self.rooms), NoDelayTransport()
        floor.makeConnection(transport)
        return floor, transport

    def test_says_to_the_room(self):
        """A message reaches everyone in its room, also the sender, and nobody else."""
        clients = [self.client() for _ in range(3)]
        for (floor, _), room in zip(clients, (b"#a", b"#a", b"#b"), strict=True):
            floor.dataReceived(b"\x00\x00\x00\x02" + room)
        clients[0][0].dataReceived(b"\x00\x00\x00\x05hello")
        ok, said = b"\x00\x00\x00\x02ok", b"\x00\x00\x00\x05hello"
        heard = [transport.value() for _, transport in clients]
        self.assertEqual(heard, [ok + said, ok + said, ok])

    def test_no_delay(self):
        """The link sends small strings without delay."""
        _, transport = self.client()
        self.assertTrue(transport.no_delay)

    def test_leaves(self):
        """A closed connection is in no room."""
        floor, _ = self.client()
        floor.dataReceived(b"\x00\x00\x00\x02#a")
        floor.connectionLost()
        self.assertEqual(self.rooms, {b"#a": []})

    def test_leaves_without_a_room(self):
        """A connection without a room can end."""
        floor, _ = self.client()
        floor.connectionLost()
        self.assertEqual(self.rooms, {})


class NatsLineTests(DialectTestCase):
    INFO = b'INFO {"server_id":"X"} \r\n'

    def test_encode(self):
        """Each message is a PUB with the length of its content."""
        expected = [b"PUB #r0 100\r\n%b\r\n" % content for content in CONTENTS]
        self.assertEqual(self.pieces(NatsLine), expected)

    def test_join(self):
        """A PONG follows the subscription, and all of it is read."""
        answers = [self.INFO, b"PON", b"G\r", b"\n"]
        _, peer = self.joined(NatsLine, (b"PING\r\n", answers))
        connect, subscribe, ping, _ = peer.asked[0].split(b"\r\n")
        self.assertTrue(json.loads(connect.removeprefix(b"CONNECT "))["echo"])
        self.assertEqual((subscribe, ping), (b"SUB #r0 1", b"PING"))
        self.assertEqual(peer.left(), b"")

    def test_begin_waits_for_the_ping(self):
        """The link does not count the server's ping, and blocks again."""
        line, peer = self.joined(NatsLine, (b"PING\r\n", [self.INFO + b"PONG\r\n"]))
        peer.say(b"PING\r\n")
        peer.link.setblocking(False)
        line.begin()
        self.assertEqual(peer.link.gettimeout(), 0)
        self.assertEqual((peer.left(), line.stream_bytes), (b"", 0))

    def test_begin_after_the_ping(self):
        """After an earlier ping, there is no wait."""
        line = self.line(NatsLine)
        line.feed(memoryview(b"PING\r\n"))
        line.begin()
        self.assertEqual(line.stream_bytes, 0)

    def test_begin_without_a_ping(self):
        """The wait for a missing ping ends in time."""
        line = self.line(NatsLine)  # it joined long ago
        line.begin()
        line.begin()
        self.assertEqual(line.stream_bytes, 0)


class RedisLineTests(DialectTestCase):
    def test_encode(self):
        """Each message is an array of three bulk strings."""
        head = b"*3\r\n$7\r\nPUBLISH\r\n$3\r\n#r0\r\n$100\r\n"
        self.assertEqual(self.pieces(RedisLine), [b"%b%b\r\n" % (head, c) for c in CONTENTS])

    def test_join(self):
        """A member subscribes, and the whole answer is read."""
        answers = [b"*3\r\n$9\r\nsubscribe\r\n$3\r\n#r0\r\n", b":1\r", b"\n"]
        _, peer = self.joined(RedisLine, (b"#r0\r\n", answers))
        self.assertEqual(peer.asked, [b"*2\r\n$9\r\nSUBSCRIBE\r\n$3\r\n#r0\r\n"])
        self.assertEqual(peer.left(), b"")

    def test_join_to_speak(self):
        """A speaker does not subscribe, since it could not publish then."""
        _, peer = self.joined(RedisLine, (b"PING\r\n", [b"+PONG\r\n"]), speaks=True)
        self.assertEqual(peer.asked, [b"*1\r\n$4\r\nPING\r\n"])
        self.assertFalse(RedisLine.HEARS_ITSELF)


class IrcLineTests(DialectTestCase):
    SCRIPT = (
        (b"USER m0x1 0 * :m0x1\r\n", [b":irc 001 m0x1 :Hello\r\n:irc 422 m0x1 :No MOTD\r\n"]),
        (b"JOIN #r0\r\n", [b":irc 353 m0x1 = #r0 :m0x1\r\n:irc 366 m0x1 #r0 :End\r\n"]),
        (b"PING :joined\r\n", [b":irc PONG irc ", b":joined\r", b"\n"]),
    )

    def test_encode(self):
        """Each message is a PRIVMSG to the channel."""
        expected = [b"PRIVMSG #r0 :%b\r\n" % content for content in CONTENTS]
        self.assertEqual(self.pieces(IrcLine), expected)

    def test_encode_long(self):
        """The dialect refuses a message that a server would truncate."""
        with pytest.raises(ValueError, match="400 bytes do not fit"):
            self.line(IrcLine).encode(0, 1, payload(400))

    def test_encode_lines(self):
        """The dialect refuses a message that a server would read as several."""
        with pytest.raises(ValueError, match="line end"):
            self.line(IrcLine).encode(0, 1, b"12345678two\r\nlines")

    def test_join(self):
        """A pong follows all answers to a join, and all of it is read."""
        _, peer = self.joined(IrcLine, *self.SCRIPT)
        self.assertEqual(peer.asked[0], b"NICK m0x1\r\nUSER m0x1 0 * :m0x1\r\n")
        self.assertEqual(peer.left(), b"")

    def test_join_to_speak(self):
        """A speaker is in the channel, but does not get its own messages."""
        _, peer = self.joined(IrcLine, *self.SCRIPT, speaks=True)
        self.assertEqual(peer.asked[1], b"JOIN #r0\r\n")
        self.assertFalse(IrcLine.HEARS_ITSELF)


class MqttLineTests(DialectTestCase):
    def test_encode(self):
        """Each message is a PUBLISH at quality 0, on a topic without a wildcard."""
        expected = [b"\x30\x68\x00\x02r0%b" % content for content in CONTENTS]
        self.assertEqual(self.pieces(MqttLine), expected)

    def test_encode_long(self):
        """A length above 127 takes two bytes, seven bits each, the low ones first."""
        data = self.line(MqttLine).encode(0, 1, payload(400))
        self.assertEqual(data[:7], b"\x30\x94\x03\x00\x02r0")
        self.assertEqual(len(data), 3 + 4 + 400)

    def test_join(self):
        """The session is clean, and the whole answer to the subscription is read."""
        _, peer = self.joined(
            MqttLine,
            (b"m0x1", [b"\x20\x02", b"\x00\x00"]),
            (b"r0\x00", [b"\x90\x03\x00", b"\x01\x00"]),
        )
        connect = b"\x10\x10\x00\x04MQTT\x04\x02\xff\xff\x00\x04m0x1"
        self.assertEqual(peer.asked, [connect, b"\x82\x07\x00\x01\x00\x02r0\x00"])
        self.assertEqual(peer.left(), b"")


class LineTests(DialectTestCase):
    def test_peer_that_hangs_up(self):
        """Joining a peer that hangs up fails at once."""
        for dialect in (FloorLine, NatsLine, RedisLine, IrcLine, MqttLine):
            link, far = socket.socketpair()
            self.addCleanup(link.close)
            far.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionError):
                self.line(dialect, link).join()
            far.close()
