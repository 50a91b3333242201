"""The load counts and checks messages, and reports faults."""

import os
import selectors
import socket
from typing import Any, ClassVar

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import load
from bench.dialects.base import Line, payload
from bench.load import Crowd, join_all, pipeline, round_trips

CONTENT = payload(100)


class RoomLine(Line):
    """A line that names its room, and then sends only contents."""

    def join(self):
        self.link.sendall(b"+%b\n" % self.room.encode())

    def encode(self, first, count, content):
        return b"".join(b"%08x%b" % (n, content[8:]) for n in range(first, first + count))


class DeafSpeakerLine(RoomLine):
    """A line that does not get its own messages, and so needs another connection."""

    HEARS_ITSELF: ClassVar[bool] = False

    def join_to_speak(self):
        self.link.sendall(b"-%b\n" % self.room.encode())


class RoomServer:
    """Sends each message to everyone in the room; it works only during `turn`."""

    def __init__(self, case):
        self._selector = selectors.DefaultSelector()
        case.addCleanup(self._selector.close)
        self._listening = socket.create_server(("127.0.0.1", 0))
        case.addCleanup(self._listening.close)
        self.port = self._listening.getsockname()[1]
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._case = case
        self._rooms = {}  # by link, once known
        self._unsent = {}  # by member
        self.links = []
        self.heard = b""
        self.most = 0  # bytes received in one turn
        self.is_silent = False
        self.excess = b""

    def turn(self):
        """Do all pending work."""
        heard = len(self.heard)
        while ready := self._selector.select(0.01):
            for key, _ in ready:
                if key.fileobj is self._listening:
                    self._accept()
                else:
                    self._hear(key.fileobj)
            if not any(key.fileobj is self._listening for key, _ in ready):
                break
        self.most = max(self.most, len(self.heard) - heard)
        for link, data in self._unsent.items():
            if data:
                try:
                    del data[: link.send(data)]
                except BlockingIOError:
                    continue

    def _accept(self):
        link, _ = self._listening.accept()
        self._case.addCleanup(link.close)
        link.setblocking(False)
        self.links.append(link)
        self._selector.register(link, selectors.EVENT_READ)

    def _hear(self, link):
        data = link.recv(65536)
        if link not in self._rooms:
            head, _, data = data.partition(b"\n")
            self._rooms[link] = head[1:]
            if head.startswith(b"+"):
                self._unsent[link] = bytearray()
        self.heard += data
        if data and not self.is_silent:
            for member, unsent in self._unsent.items():
                if self._rooms[member] == self._rooms[link]:
                    unsent.extend(data + self.excess)


class InTurnCrowd(Crowd):
    """A crowd that lets its server work before it reads, so that it needs no thread."""

    server: ClassVar[RoomServer | None] = None

    def read(self, timeout_s):
        self.server.turn()
        return super().read(min(timeout_s, 0.01))


class LoadTestCase(SynchronousTestCase):
    def setUp(self):
        self.server = RoomServer(self)

    def crowd(self, rooms=1, members=1, line=RoomLine):
        """A crowd that knows the length of a delivery."""
        self.patch(InTurnCrowd, "server", self.server)
        crowd = InTurnCrowd(line, "127.0.0.1", self.server.port, rooms=rooms, members=members)
        self.addCleanup(crowd.close)
        crowd.learn(CONTENT)
        self.server.heard, self.server.most = b"", 0
        return crowd

    def pipeline(self, crowd, messages=7, chunk=3, window=6, content=CONTENT):
        """A run of a single pipeline."""
        return pipeline(
            crowd, os.getpid(), messages=messages, chunk=chunk, window=window, content=content
        )

    def contents(self, count):
        """The sent contents, message by message."""
        return b"".join(b"%08x%b" % (number, CONTENT[8:]) for number in range(count))


class CrowdTests(LoadTestCase):
    def test_learns(self):
        """Each member learns the length of a delivery."""
        crowd = self.crowd(rooms=2, members=3)
        self.assertEqual([line.delivery_bytes for line in crowd.lines], [100] * 6)

    def test_watches(self):
        """In each room, the load watches one member, which speaks if it gets its own messages."""
        crowd = self.crowd(rooms=2, members=3)
        watched = [line.name for line in crowd.lines if line.is_watched]
        self.assertEqual(watched, ["m0x0", "m1x0"])
        self.assertEqual([flow.speaker.name for flow in crowd.flows], watched)

    def test_speaker(self):
        """A speaker that does not get its own messages is another line, and not a member."""
        crowd = self.crowd(rooms=2, members=3, line=DeafSpeakerLine)
        self.assertEqual([flow.speaker.name for flow in crowd.flows], ["s0", "s1"])
        self.assertEqual(len(crowd.lines), 2 * (3 + 1))
        self.assertEqual([line.stream_bytes for line in crowd.lines[-2:]], [0, 0])

    def test_other_servers(self):
        """Members connect to all servers in turn, and the watched member not to the speaker's."""
        others = [RoomServer(self), RoomServer(self)]
        servers = [*others, self.server]
        crowd = Crowd(
            RoomLine,
            "127.0.0.1",
            self.server.port,
            members=4,
            other_ports=[other.port for other in others],
        )
        self.addCleanup(crowd.close)
        ports = [line.link.getpeername()[1] for line in crowd.lines]
        self.assertEqual(ports, [server.port for server in (*servers, others[0])])
        (flow,) = crowd.flows
        self.assertEqual((flow.watched.name, flow.speaker.name), ("m0x0", "m0x2"))

    def test_close(self):
        """Closing a crowd closes all connections."""
        crowd = self.crowd(members=3)
        crowd.close()
        self.assertEqual([line.link.fileno() for line in crowd.lines], [-1] * 3)

    def test_disconnected(self):
        """An error names a disconnected member."""
        crowd = self.crowd()
        self.server.links[0].shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError, match="m0x0 was disconnected"):
            crowd.drain()


class JoinAllTests(SynchronousTestCase):
    def test_all_join(self):
        """All lines join, also if they are more than may join at the same time."""
        joined = []

        class JoiningLine(Line):
            def join(self):
                joined.append(self.name)

        names = [f"m{number}" for number in range(2 * load.JOINING + 1)]
        link: Any = None  # no data is sent
        join_all([JoiningLine(link, name, "#r0") for name in names])
        self.assertEqual(sorted(joined), sorted(names))

    def test_refused(self):
        """The bench reports a refused join."""

        class RefusedLine(Line):
            def join(self):
                raise ConnectionError(f"{self.name} is refused")

        link: Any = None  # no data is sent
        with pytest.raises(ConnectionError, match="m0 is refused"):
            join_all([RefusedLine(link, "m0", "#r0")])


class PipelineTests(LoadTestCase):
    def test_counts(self):
        """The load counts every message and every delivery of all rooms once."""
        crowd = self.crowd(rooms=2, members=3)
        told = iter([1.0, 3.5])
        self.patch(load, "cpu_seconds", lambda pid: next(told))
        sample = self.pipeline(crowd)
        self.assertEqual((sample.messages, sample.deliveries), (2 * 7, 2 * 3 * 7))
        self.assertEqual(sample.server_cpu_s, 2.5)
        self.assertGreater(sample.seconds, 0)
        self.assertEqual(sample.latencies_s, ())

    def test_everyone_hears_everything(self):
        """A run ends when the last member has the last message."""
        crowd = self.crowd(rooms=2, members=3)
        self.pipeline(crowd)
        self.assertEqual([line.stream_bytes for line in crowd.lines], [700] * 6)

    def test_in_order(self):
        """Messages are numbered from 0, in chunks, of which the last is shorter."""
        crowd = self.crowd()
        self.pipeline(crowd)
        self.assertEqual(self.server.heard, self.contents(7))

    def test_speaker(self):
        """The run does not wait for a speaker that does not get its own messages."""
        crowd = self.crowd(members=2, line=DeafSpeakerLine)
        sample = self.pipeline(crowd)
        self.assertEqual((sample.messages, sample.deliveries), (7, 14))

    def test_window(self):
        """No more messages are under way than the window allows."""
        crowd = self.crowd()
        self.pipeline(crowd, messages=30, chunk=3, window=6)
        self.assertLessEqual(self.server.most, 6 * 100)
        self.assertEqual(self.server.heard, self.contents(30))

    def test_again(self):
        """A second run counts from zero."""
        crowd = self.crowd(members=2)
        self.pipeline(crowd, messages=9)
        sample = self.pipeline(crowd, messages=4)
        self.assertEqual((sample.messages, sample.deliveries), (4, 8))

    def test_more_than_a_socket_takes(self):
        """Data that the socket does not take at once is sent later."""
        crowd = self.crowd()
        speaker = crowd.flows[0].speaker
        speaker.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sample = self.pipeline(crowd, messages=3000, chunk=3000, window=3000)
        self.assertEqual(sample.messages, 3000)
        self.assertEqual(self.server.heard, self.contents(3000))

    def test_stall(self):
        """A run without any data fails, and does not go on for ever."""
        crowd = self.crowd()
        self.patch(load, "STALL_S", 0)
        self.server.is_silent = True
        with pytest.raises(TimeoutError, match="nothing arrived for 0 s"):
            self.pipeline(crowd)

    def test_check(self):
        """The bench reports a delivery of the wrong length."""
        crowd = self.crowd()
        self.server.excess = b"?"
        with pytest.raises(AssertionError, match="bytes of 100 arrived"):
            self.pipeline(crowd, messages=1)


class RoundTripsTests(LoadTestCase):
    def round_trips(self, crowd, messages=5):
        """A run of round trips."""
        return round_trips(crowd, os.getpid(), messages=messages, content=CONTENT)

    def test_counts(self):
        """Each round trip is timed separately."""
        crowd = self.crowd()
        sample = self.round_trips(crowd)
        self.assertEqual((sample.messages, sample.deliveries), (5, 5))
        self.assertEqual(len(sample.latencies_s), 5)
        self.assertGreater(min(sample.latencies_s), 0)
        self.assertLessEqual(sum(sample.latencies_s), sample.seconds)

    def test_one_at_a_time(self):
        """The bench sends no message before the previous message has come back."""
        crowd = self.crowd()
        self.round_trips(crowd)
        self.assertEqual(self.server.most, 100)
        self.assertEqual(self.server.heard, self.contents(5))

    def test_for_all(self):
        """A round trip can last until everyone in a room has the message."""
        crowd = self.crowd(rooms=2, members=3)
        sample = round_trips(crowd, os.getpid(), messages=5, content=CONTENT, room=1, for_all=True)
        self.assertEqual((sample.messages, sample.deliveries), (5, 15))
        self.assertEqual([line.stream_bytes for line in crowd.flows[1].members], [500] * 3)
        self.assertEqual(self.server.heard, self.contents(5))

    def test_more_than_a_socket_takes(self):
        """Data that the socket does not take is sent before the wait for an answer."""
        crowd = self.crowd()
        content = payload(1_000_000)
        for line in crowd.lines:
            line.delivery_bytes = len(content)
        crowd.flows[0].speaker.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        round_trips(crowd, os.getpid(), messages=1, content=content)
        self.assertEqual(len(self.server.heard), len(content))

    def test_check(self):
        """The bench reports a delivery of the wrong length."""
        crowd = self.crowd()
        self.server.excess = b"?"
        with pytest.raises(AssertionError, match="bytes of 100 arrived"):
            self.round_trips(crowd, messages=1)
