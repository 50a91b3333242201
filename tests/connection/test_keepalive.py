"""Tests of liveness: pings that are due, and the end of a silent or slow session."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import PongReceived
from chatd.connection.keepalive import SILENT_INTERVALS, Liveness, Pulse
from chatd.connection.states import State
from chatd.wire.messages import Message
from tests.connection.wiring import (
    HELLO,
    KEY,
    SideCases,
    bring_to,
    codes_of,
    make_client,
    make_server,
    ping,
    pong,
)
from tests.wire.samples import raw_frame

HANDSHAKE_STATES = (State.CONNECTING, State.GREETING, State.ADMISSION)


class LivenessTests(SynchronousTestCase):
    def setUp(self):
        self.liveness = Liveness(10.0, 100.0)

    def test_first_look(self):
        """The first look always ends an interval; the next interval is complete."""
        self.assertIs(self.liveness.look(103.0), Pulse.DUE)
        self.assertIs(self.liveness.look(109.0), Pulse.EARLY)
        self.assertIs(self.liveness.look(113.0), Pulse.DUE)

    def test_due_once(self):
        """The end of an interval is returned once, for any number of looks."""
        self.assertIs(self.liveness.look(100.0), Pulse.DUE)
        self.assertIs(self.liveness.look(100.0), Pulse.EARLY)
        self.assertIs(self.liveness.look(105.0), Pulse.EARLY)
        self.assertIs(self.liveness.look(110.0), Pulse.DUE)

    def test_tolerance(self):
        """A look a tenth of the interval early is on time; an earlier look is not."""
        self.liveness.look(100.0)
        self.assertIs(self.liveness.look(108.9), Pulse.EARLY)
        self.assertIs(self.liveness.look(109.0), Pulse.DUE)

    def test_next_interval(self):
        """An interval begins with the look that ended the interval before."""
        self.liveness.look(100.0)
        self.liveness.was_heard = True
        self.assertIs(self.liveness.look(109.5), Pulse.DUE)
        self.assertIs(self.liveness.look(118.0), Pulse.EARLY)
        self.assertIs(self.liveness.look(118.5), Pulse.DUE)

    def test_silence(self):
        """The session is lost at the end of the third silent interval."""
        pulses = [self.liveness.look(now) for now in (100.0, 110.0, 120.0)]
        self.assertEqual(pulses, [Pulse.DUE, Pulse.DUE, Pulse.LOST])
        self.assertEqual(len(pulses), SILENT_INTERVALS)

    def test_sign_of_life(self):
        """A sign of life restarts the count, and counts for one interval only."""
        self.liveness.look(100.0)
        self.liveness.look(110.0)
        self.liveness.was_heard = True
        pulses = [self.liveness.look(now) for now in (120.0, 130.0, 140.0, 150.0)]
        self.assertEqual(pulses, [Pulse.DUE, Pulse.DUE, Pulse.DUE, Pulse.LOST])

    def test_early_look_keeps_the_sign(self):
        """A look within an interval keeps the sign of life."""
        self.liveness.look(100.0)
        self.liveness.was_heard = True
        self.liveness.look(105.0)
        pulses = [self.liveness.look(now) for now in (110.0, 120.0, 130.0, 140.0)]
        self.assertEqual(pulses, [Pulse.DUE, Pulse.DUE, Pulse.DUE, Pulse.LOST])

    def test_stopped_process(self):
        """A long time without a look counts as one interval."""
        self.liveness.look(100.0)
        self.assertIs(self.liveness.look(100_000.0), Pulse.DUE)
        self.assertIs(self.liveness.look(100_010.0), Pulse.LOST)


class TickCases(SideCases):
    """The effect of time on a session."""

    def silence(self, peer, *looks):
        """Look at the time repeatedly, and return the state after each look."""
        states = []
        for now in looks:
            peer.connection.tick(now)
            states.append(peer.state)
        return states

    def test_three_silent_intervals(self):
        """Three intervals without a frame end the session, and the peer may connect again."""
        peer = self.at(State.ESTABLISHED)
        states = self.silence(peer, 5.0, 10.0, 15.0, 20.0)
        self.assertEqual(states, [State.ESTABLISHED] * 3 + [State.CLOSING])
        end = peer.connection.end_reason
        self.assertEqual((end.code, end.retry), ("heartbeat-timeout", True))
        self.assertIn("15 seconds", end.reason)
        last = peer.hear()[-1]
        self.assertEqual(codes_of([last])[0][1], "heartbeat-timeout")
        self.assertTrue(last.header.retry)

    def test_any_frame_is_a_sign_of_life(self):
        """Each valid frame restarts the count, even a refused or unknown frame."""
        signs = (
            raw_frame(4, b'{"id":"m1"}', b"hello", self.key),
            raw_frame(3, b'{"n":1}', b"pong", self.key),
            raw_frame(3, b"{}", b"", self.key),
            raw_frame(99, b"{}", b"", self.key),
        )
        for sign in signs:
            peer = self.at(State.ESTABLISHED)
            self.silence(peer, 5.0, 10.0, 15.0)
            peer.say_frames(sign)
            states = self.silence(peer, 20.0, 25.0, 30.0, 35.0)
            self.assertEqual(states, [State.ESTABLISHED] * 3 + [State.CLOSING])

    def test_a_long_frame_takes_its_time(self):
        """A long frame with a good start is a sign of life while more of it arrives."""
        peer = self.at(State.ESTABLISHED)
        for _ in range(2):
            frame = peer.encode(Message.chat(bytes(100_000), id="long"))
            for now in range(5, 85, 5):
                peer.say_frames(frame[:6_000])
                frame = frame[6_000:]
                peer.connection.tick(float(now))
            self.assertEqual(len(peer.say_frames(frame)), 1)

    def test_a_trickle_is_silence(self):
        """A long frame that arrives in a trickle does not keep a session alive."""
        peer = self.at(State.ESTABLISHED)
        frame = peer.encode(Message.chat(bytes(100_000), id="long"))
        peer.say_frames(frame[:90_000])
        for now in range(5, 105, 5):
            peer.say_frames(b"\0")
            peer.connection.tick(float(now))
        self.assertEqual(peer.connection.end_reason.code, "heartbeat-timeout")

    def test_start_of_a_frame_is_no_sign_of_life(self):
        """Bytes that may not begin a good frame do not keep a session alive."""
        peer = self.at(State.ESTABLISHED)
        for now, byte in zip((5.0, 10.0, 15.0, 20.0), peer.seal(peer.encode(HELLO)), strict=False):
            peer.feed(bytes([byte]))
            peer.connection.tick(now)
        self.assertEqual(peer.connection.end_reason.code, "heartbeat-timeout")

    def test_stopped_process(self):
        """After a process was stopped for an hour, the first look does not end its sessions."""
        peer = self.at(State.ESTABLISHED)
        self.silence(peer, 5.0, 3600.0)
        self.assertIs(peer.state, State.ESTABLISHED)
        peer.say(HELLO)
        states = self.silence(peer, 3605.0, 3610.0, 3615.0, 3620.0)
        self.assertEqual(states, [State.ESTABLISHED] * 3 + [State.CLOSING])

    def test_note_alive(self):
        """While this side has paused reading, the peer's silence does not count."""
        peer = self.at(State.ESTABLISHED)
        for now in range(5, 200, 5):
            peer.connection.note_alive()
            peer.connection.tick(float(now))
        self.assertIs(peer.state, State.ESTABLISHED)

    def test_slow_handshake(self):
        """A session that is not established in 10 s ends, and the peer may connect again."""
        states = [state for state in HANDSHAKE_STATES if self.key or state != State.CONNECTING]
        for state in states:
            peer = self.at(state)
            peer.hear()
            peer.connection.tick(9.99)
            self.assertIs(peer.state, state)
            self.assertEqual(peer.hear(), [])
            peer.connection.tick(10.0)
            self.assertIs(peer.state, State.CLOSING)
            end = peer.connection.end_reason
            self.assertEqual((end.code, end.retry), ("handshake-timeout", True))
            said = codes_of(peer.hear())
            self.assertEqual(said, [(6, end.code)] if state is not State.CONNECTING else [])

    def test_handshake_in_time(self):
        """The handshake timeout does not apply to an established session."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.tick(10.0)
        self.assertIs(peer.state, State.ESTABLISHED)

    def test_over(self):
        """Time has no effect on a session that is over."""
        for state in (State.DRAINING, State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            end = peer.connection.end_reason
            self.assertEqual(set(self.silence(peer, *range(5, 100, 5))), {state})
            self.assertIs(peer.connection.end_reason, end)
            self.assertEqual(peer.hear(), [])


class HeartbeatCases(SideCases):
    """Pings and pongs."""

    def test_ping_is_answered(self):
        """The connection answers a ping with a pong with its number, and gives no event."""
        peer = self.at(State.ESTABLISHED)
        self.assertEqual(peer.say(ping(7), ping(-1), ping(2**70)), [])
        self.assertEqual(peer.hear(), [pong(7), pong(-1), pong(2**70)])

    def test_pong_is_told(self):
        """A pong causes an event with its number, and gets no answer."""
        peer = self.at(State.ESTABLISHED)
        self.assertEqual(peer.say(pong(7)), [PongReceived(7)])
        self.assertEqual(peer.hear(), [])

    def test_pings_are_numbered(self):
        """Each ping has its own number, and `send_ping` returns it."""
        peer = self.at(State.ESTABLISHED)
        numbers = [peer.connection.send_ping() for _ in range(3)]
        self.assertEqual(peer.hear(), [ping(n) for n in numbers])
        self.assertEqual(len(set(numbers)), 3)

    def test_bad_content(self):
        """A heartbeat that is neither a ping nor a pong is `bad-request`; the session goes on."""
        peer = self.at(State.ESTABLISHED)
        for content in (b"", b"PING", b"ping ", b"pingpong"):
            self.assertEqual(peer.say_frames(raw_frame(3, b'{"n":1}', content, self.key)), [])
            self.assertEqual(codes_of(peer.hear()), [(5, "bad-request")])
        self.assertIs(peer.state, State.ESTABLISHED)


class ServerTickTests(TickCases, HeartbeatCases, SynchronousTestCase):
    make = staticmethod(make_server)

    def test_pings(self):
        """The server pings once an interval, and numbers its pings."""
        peer = self.at(State.ESTABLISHED)
        heard = []
        for now in (5.0, 7.0, 10.0, 12.0, 15.0):
            peer.connection.tick(now)
            heard.append(peer.hear())
        self.assertEqual(heard, [[ping(1)], [], [ping(2)], [], [ping(3)]])

    def test_pong(self):
        """The event for a pong has the number of the ping."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.tick(5.0)
        self.assertEqual(peer.say(pong(1)), [PongReceived(1)])

    def test_no_ping_at_the_end(self):
        """The look that ends the session sends no ping."""
        peer = self.at(State.ESTABLISHED)
        self.silence(peer, 5.0, 10.0, 15.0)
        peer.hear()
        peer.connection.tick(20.0)
        self.assertEqual(codes_of(peer.hear()), [(6, "heartbeat-timeout")])


class EncryptedServerTickTests(TickCases, HeartbeatCases, SynchronousTestCase):
    make = staticmethod(make_server)
    key = KEY


class ClientTickTests(TickCases, HeartbeatCases, SynchronousTestCase):
    make = staticmethod(make_client)

    def test_does_not_ping(self):
        """The client sends no pings by itself."""
        peer = self.at(State.ESTABLISHED)
        self.silence(peer, 5.0, 10.0, 15.0)
        self.assertEqual(peer.hear(), [])

    def test_interval_of_the_greeting(self):
        """The client uses the interval from the server's greeting."""
        greeting = raw_frame(1, b'{"session_id":"s","heartbeat":60}')
        peer = bring_to(State.GREETING, make_client())
        peer.say_frames(greeting)
        peer.establish()
        states = self.silence(peer, 60.0, 65.0, 120.0, 180.0, 239.0, 240.0)
        self.assertEqual(states, [State.ESTABLISHED] * 4 + [State.CLOSING] * 2)


class EncryptedClientTickTests(TickCases, HeartbeatCases, SynchronousTestCase):
    make = staticmethod(make_client)
    key = KEY
