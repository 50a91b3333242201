"""The idle crowd and the probe: they answer pings, count losses, and summarize round trips."""

import socket

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench.idle import IdleCrowd
from bench.probe import INTERVAL_S, AnsweringLine, Probe, summarize
from chatd.connection.events import AdmissionAsked, PongReceived, Run
from chatd.connection.server import ServerConnection
from chatd.wire.channel import SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Message, MessageType, SessionInit

KEY = bytes(range(32))
HEARTBEAT_S = 5.0


class FarEnd:
    """The server's end of a socket pair: it welcomes the client, and keeps its messages."""

    def __init__(self, case):
        self.link, self._far = socket.socketpair()
        for end in (self.link, self._far):
            end.setblocking(False)
            case.addCleanup(end.close)
        init = SessionInit(session_id="s", heartbeat=HEARTBEAT_S)
        channel = SecureChannel(noise_psk(KEY), initiator=True)
        self.session = ServerConnection(Codec(KEY), channel, init, 0.0)
        self.events = []

    def send(self):
        """Send the queued data."""
        data = self.session.data_to_send()
        if data:
            self._far.sendall(data)

    def hear(self):
        """Take received data, and answer it."""
        try:
            self.session.receive_data(self._far.recv(65536))
        except BlockingIOError:
            return
        for event in self.session.events():
            if isinstance(event, Run):
                self.events += event.messages
            elif isinstance(event, AdmissionAsked):
                rooms = [{"room": room} for room in event.ack.rooms or ()]
                self.session.admit(event.ack.name or "", rooms)
            else:
                self.events.append(event)
        self.send()

    def say_back(self):
        """Send each received message back, as a room does."""
        for message in self.events:
            self.session.send(message.type, message.header, message.content)
        self.events.clear()
        self.send()

    def hang_up(self):
        """Close the connection."""
        self._far.close()


class IdleTestCase(SynchronousTestCase):
    def joined(self, make=AnsweringLine, **options):
        """A line that has joined, without a thread, and its far end."""
        far = FarEnd(self)
        line = make(far.link, "m0", "#r0", key=KEY, **options)
        far.send()
        while not far.session.is_established:
            line.link.sendall(line.session.data_to_send())
            far.hear()
            line.session.receive_data(line.link.recv(65536))
            for _ in line.session.events():
                pass
        self.assertTrue(line.session.is_established)
        return line, far


class SummaryTests(SynchronousTestCase):
    def test_percentiles(self):
        """A percentile is the smallest value that so many values do not exceed."""
        summary = summarize([number / 1000 for number in range(200, 0, -1)])
        self.assertEqual(summary.count, 200)
        self.assertAlmostEqual(summary.p50, 100)
        self.assertAlmostEqual(summary.p99, 198)
        self.assertAlmostEqual(summary.longest, 200)

    def test_one(self):
        """A single round trip is every percentile."""
        summary = summarize([0.25])
        self.assertEqual((summary.p50, summary.p99, summary.longest), (250, 250, 250))

    def test_one_slow_one(self):
        """A single slow round trip of a hundred is in no percentile, but it is the longest."""
        summary = summarize([0.001] * 99 + [0.5])
        self.assertEqual((summary.p99, summary.longest), (1, 500))


class IdleCrowdTests(IdleTestCase):
    def setUp(self):
        self.crowd = IdleCrowd()
        self.addCleanup(self.crowd.close)

    def add(self):
        """Add a session to the crowd; return its far end."""
        line, far = self.joined()
        self.crowd.add(line)
        return line, far

    def test_answers_pings(self):
        """Each ping gets its pong, so the server never ends the session for silence."""
        ends = [self.add()[1] for _ in range(3)]
        for beat in range(1, 8):
            for far in ends:
                far.session.tick(beat * HEARTBEAT_S)
                far.send()
            self.crowd.answer(0)
            for far in ends:
                far.hear()
        for far in ends:
            self.assertEqual(far.events, [PongReceived(number) for number in range(1, 8)])
            self.assertTrue(far.session.is_established)
        self.assertEqual((self.crowd.answered, self.crowd.lost), (21, 0))

    def test_half_a_ping(self):
        """The bench answers a ping in pieces once."""
        line, far = self.add()
        far.session.send_ping()
        ping = far.session.data_to_send()
        line.feed(memoryview(ping[:7]))
        self.assertEqual(self.crowd.answered, 0)
        line.feed(memoryview(ping[7:]))
        far.hear()
        self.assertEqual(far.events, [PongReceived(1)])

    def test_hung_up(self):
        """A disconnected session is lost, once, and the others go on."""
        (_, far), (_, other) = self.add(), self.add()
        far.hang_up()
        other.session.send_ping()
        other.send()
        self.crowd.answer(0)
        self.crowd.answer(0)
        other.hear()
        self.assertEqual(other.events, [PongReceived(1)])
        self.assertEqual((self.crowd.lost, len(self.crowd)), (1, 2))

    def test_disconnected(self):
        """A session that the server ends is lost."""
        _, far = self.add()
        far.session.end("going-away", "the end")
        far.send()
        self.crowd.answer(0)
        self.assertEqual(self.crowd.lost, 1)


class ProbeTests(IdleTestCase):
    def setUp(self):
        self.now_s = 0.0
        self.probe, self.far = self.joined(Probe, now=lambda: self.now_s)

    def arrive(self):
        """Let the probe read the data that has arrived."""
        self.probe.feed(memoryview(self.probe.link.recv(65536)))

    def test_round_trips(self):
        """The time of each message counts from its sending, even if the next goes out first."""
        self.probe.say()
        self.now_s = INTERVAL_S
        self.probe.say()
        self.now_s = 0.25
        self.far.hear()
        self.far.say_back()
        self.arrive()
        self.assertEqual(self.probe.latencies_s, [0.25, 0.25 - INTERVAL_S])

    def test_pings_are_answered(self):
        """A ping is not a round trip, and gets its pong."""
        self.far.session.send_ping()
        self.far.send()
        self.arrive()
        self.far.hear()
        self.assertEqual(self.far.events, [PongReceived(1)])
        self.assertEqual(self.probe.latencies_s, [])

    def test_refused(self):
        """A refused message fails, and does not count as fast."""
        self.probe.say()
        self.far.session.send(MessageType.ERROR, {"code": "not-stored", "ref": "00000000"})
        self.far.send()
        with pytest.raises(ConnectionError, match="not-stored"):
            self.arrive()

    def test_content(self):
        """Each message is small, and has its own id."""
        self.probe.say()
        self.probe.say()
        self.far.hear()
        self.assertEqual([event.id for event in self.far.events], ["00000000", "00000001"])
        for event in self.far.events:
            self.assertIsInstance(event, Message)
            self.assertLess(len(event.content), 100)
