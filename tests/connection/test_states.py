"""Tests of a session's states: the table, that both sides keep to it, and how they end."""

from collections.abc import Callable
from itertools import product
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import Ended
from chatd.connection.states import TRANSITIONS, State, Trigger, advance
from chatd.errors import ErrorCode, LocalProtocolError, RequestError
from chatd.wire.messages import ChatHeader
from tests.connection.wiring import (
    GOODBYE,
    HELLO,
    KEY,
    MAX_CONTENT,
    SideCases,
    answered,
    bring_to,
    make_client,
    make_server,
    ping,
    pong,
)
from tests.wire.samples import raw_frame

# The way of a session that nothing goes wrong with.
WAY = (
    (State.CONNECTING, Trigger.CHANNEL_OPENED),
    (State.GREETING, Trigger.GREETED),
    (State.ADMISSION, Trigger.ADMITTED),
    (State.ESTABLISHED, None),
)
OPEN = {state for state, _ in WAY}
TAKING = {State.ESTABLISHED, State.FAULTED, State.DRAINING}


def expected(state: State, trigger: Trigger) -> State | None:
    """Say by rules, not by the table, which state follows; None where there is no transition."""
    if trigger is Trigger.CONNECTION_LOST:
        return None if state is State.CLOSED else State.CLOSED
    if trigger is Trigger.ENDED:
        return State.CLOSING if state in {*OPEN, State.FAULTED} else None
    if state not in OPEN:
        return None
    if trigger is Trigger.PEER_ENDED:
        # Before the channel is open there is no frame that could say it.
        return None if state is State.CONNECTING else State.DRAINING
    if trigger is Trigger.FAULT_FOUND:
        return State.FAULTED
    place = WAY.index((state, trigger)) if (state, trigger) in WAY else None
    return None if place is None else WAY[place + 1][0]


class TransitionsTests(SynchronousTestCase):
    def test_complete(self):
        """Every pair of a state and a trigger is in the table exactly where the rules want it."""
        for state, trigger in product(State, Trigger):
            self.assertIs(TRANSITIONS.get((state, trigger)), expected(state, trigger))

    def test_advance(self):
        """`advance` returns the state that the table names."""
        for (state, trigger), following in TRANSITIONS.items():
            self.assertIs(advance(state, trigger), following)

    def test_refused(self):
        """`advance` refuses, as the caller's fault, whatever is not in the table."""
        refused = [pair for pair in product(State, Trigger) if pair not in TRANSITIONS]
        self.assertIn((State.CLOSED, Trigger.CONNECTION_LOST), refused)
        for state, trigger in refused:
            with self.assertRaises(LocalProtocolError) as caught:
                advance(state, trigger)
            self.assertIn(state.value, str(caught.exception))
            self.assertIn(trigger.value, str(caught.exception))

    def test_reachable(self):
        """A walk through the table from the first state comes to every other."""
        reached = {State.CONNECTING}
        for _ in State:
            reached |= {after for (state, _), after in TRANSITIONS.items() if state in reached}
        self.assertEqual(reached, set(State))

    def test_ends(self):
        """Nothing leads out of the last state, and no way leads back."""
        order = list(State)
        for (state, _), following in TRANSITIONS.items():
            self.assertLess(order.index(state), order.index(following))
            self.assertIsNot(state, State.CLOSED)


SIDES: tuple[Callable[..., Any], ...] = (make_server, make_client)


class SidesTests(SynchronousTestCase):
    def test_reached_with_a_key(self):
        """Either side comes to every state when there is a key."""
        for make, state in product(SIDES, State):
            self.assertIs(bring_to(state, make(KEY), KEY).state, state)

    def test_reached_without_a_key(self):
        """Either side comes to every state but the first, which has no handshake to wait for."""
        for make, state in product(SIDES, set(State) - {State.CONNECTING}):
            self.assertIs(bring_to(state, make()).state, state)
            self.assertIs(make().state, State.GREETING)

    def test_lost_in_every_state(self):
        """The loss of the transport closes a session in any state, once, and is no error twice."""
        for make, state in product(SIDES, State):
            connection = bring_to(state, make(KEY), KEY).connection
            reason = connection.end_reason
            connection.connection_lost()
            self.assertIs(connection.state, State.CLOSED)
            if reason is None:
                reason = connection.end_reason
                self.assertEqual((reason.code, reason.retry), ("connection-lost", True))
            connection.connection_lost()
            self.assertIs(connection.end_reason, reason)

    def test_what_each_state_allows(self):
        """Whether a session reads, is over or takes frames follows from its state alone."""
        for make, state in product(SIDES, State):
            connection = bring_to(state, make(KEY), KEY).connection
            self.assertEqual(connection.is_established, state is State.ESTABLISHED)
            self.assertEqual(connection.is_over, state not in {*OPEN, State.FAULTED})
            waits = state is State.ADMISSION and make is make_server
            self.assertEqual(connection.is_readable, state in OPEN and not waits)
            self.assertEqual(connection.takes_frames, state in TAKING)


class EndCases(SideCases):
    """How a session ends, and what is still said and read then."""

    def test_disconnect_received(self):
        """A DISCONNECT is told and ends the session; nothing after it is read."""
        peer = self.at(State.ESTABLISHED)
        events = peer.say(HELLO, GOODBYE, HELLO)
        self.assertEqual(events[0], HELLO)
        (ended,) = events[1:]
        self.assertIsInstance(ended, Ended)
        self.assertIs(ended.end, peer.connection.end_reason)
        self.assertEqual((ended.end.code, ended.end.reason), ("goodbye", "bye"))
        self.assertIs(peer.state, State.DRAINING)
        self.assertEqual(peer.say(HELLO, ping(1)), [])
        self.assertEqual(peer.hear(), [])

    def test_farewelling(self):
        """What was queued before a DISCONNECT came, and what others say, is still sent."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        peer.say(ping(1), GOODBYE)
        peer.connection.queue_frames(peer.encode(ping(9)))
        self.assertEqual(peer.hear(), [HELLO, pong(1), ping(9)])

    def test_answers_while_draining(self):
        """What was said before a DISCONNECT can still be answered, until the transport is gone."""
        peer = self.at(State.DRAINING)
        peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        peer.connection.send_error(RequestError("not-today", "no", ref="m1"))
        said, refusal = peer.hear()
        self.assertEqual(said, HELLO)
        self.assertEqual((refusal.header.code, refusal.header.ref), ("not-today", "m1"))
        self.assertIs(peer.state, State.DRAINING)

    def test_end(self):
        """`end` says why, after all that was queued, and whether to come back."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        peer.connection.end(ErrorCode.SHUTTING_DOWN, "back soon", retry=True)
        said, last = peer.hear()
        self.assertEqual(said, HELLO)
        header = last.header
        self.assertEqual((header.code, header.reason), ("shutting-down", "back soon"))
        self.assertTrue(header.retry)
        end = peer.connection.end_reason
        self.assertEqual((end.code, end.reason, end.retry), ("shutting-down", "back soon", True))

    def test_end_twice(self):
        """The first end counts; a second one, or one after the peer's, says nothing."""
        for state in (State.DRAINING, State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            reason = peer.connection.end_reason
            peer.connection.end("other", "again")
            self.assertEqual(peer.hear(), [])
            self.assertIs(peer.state, state)
            self.assertIs(peer.connection.end_reason, reason)

    def test_send_after_the_end(self):
        """Who says something after the end made a mistake, and is told so."""
        for state in (State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            with self.assertRaises(LocalProtocolError):
                peer.connection.send(HELLO.type, HELLO.header)
            with self.assertRaises(LocalProtocolError):
                peer.connection.send_ping()
            self.assertEqual(peer.hear(), [])

    def test_read_after_own_end(self):
        """Once this side has ended the session, what was on its way is not read."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.receive_data(peer.seal(peer.encode(HELLO, HELLO)))
        events = answered(peer.connection)
        self.assertEqual(next(events), HELLO)
        peer.connection.end("goodbye", "bye")
        self.assertEqual(list(events), [])
        self.assertEqual(peer.say(HELLO), [])

    def test_send_too_much(self):
        """A content over the limit is the caller's mistake; nothing of it is sent."""
        peer = self.at(State.ESTABLISHED)
        with self.assertRaises(LocalProtocolError):
            peer.connection.send(4, ChatHeader(id="m1"), bytes(MAX_CONTENT + 1))
        self.assertEqual(peer.hear(), [])
        self.assertIs(peer.state, State.ESTABLISHED)

    def test_discard_queued(self):
        """What is queued is counted in bytes, and can be forgotten before it is sent."""
        peer = self.at(State.ESTABLISHED)
        frames = peer.encode(HELLO)
        peer.connection.queue_frames(frames)
        peer.connection.queue_frames(frames)
        self.assertEqual(peer.connection.bytes_to_send, 2 * len(frames))
        peer.connection.discard_queued()
        self.assertEqual(peer.connection.bytes_to_send, 0)
        self.assertEqual(peer.hear(), [])

    def test_sent_once(self):
        """What was queued is sent once, and then nothing waits any more."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send_ping()
        self.assertEqual(peer.hear(), [ping(1)])
        self.assertEqual(peer.connection.bytes_to_send, 0)
        self.assertEqual(peer.connection.data_to_send(), b"")


class LossCases(SideCases):
    """What a session says of the loss of its transport."""

    def test_lost_between_frames(self):
        """A loss between two frames is told as such, and the peer may come back."""
        peer = self.at(State.ESTABLISHED)
        peer.say(HELLO)
        peer.connection.connection_lost()
        end = peer.connection.end_reason
        self.assertEqual((end.code, end.retry), ("connection-lost", True))
        self.assertIn("lost", end.reason)

    def test_cut_inside(self):
        """A loss inside a frame or a record has its own reason, wherever the cut is."""
        whole = self.at(State.ESTABLISHED).seal(raw_frame(4, b'{"id":"m1"}', b"hello", self.key))
        for cut in (1, 3, 4, 5, 50, 70, len(whole) - 1):
            peer = self.at(State.ESTABLISHED)
            peer.feed(peer.seal(peer.encode(HELLO))[:cut])
            peer.connection.connection_lost()
            self.assertEqual(peer.connection.end_reason.code, "connection-lost")
            self.assertIn("cut", peer.connection.end_reason.reason)

    def test_cut_inside_a_frame_between_records(self):
        """A frame that ends with its first record is cut too."""
        peer = self.at(State.ESTABLISHED)
        peer.say_frames(peer.encode(HELLO)[:-1])
        peer.connection.connection_lost()
        self.assertIn("cut", peer.connection.end_reason.reason)

    def test_whole_frames_that_wait(self):
        """Frames that arrived whole and wait to be read are no cut."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.receive_data(peer.seal(peer.encode(HELLO, HELLO)))
        self.assertEqual(next(answered(peer.connection)), HELLO)
        peer.connection.connection_lost()
        self.assertNotIn("cut", peer.connection.end_reason.reason)

    def test_nothing_is_read_or_said(self):
        """After the loss nothing is read; the reason of an end before it stays."""
        peer = self.at(State.CLOSED)
        self.assertEqual(peer.say(HELLO), [])
        ended = self.at(State.CLOSING)
        ended.connection.connection_lost()
        self.assertEqual(ended.connection.end_reason.code, "goodbye")


class ServerEndTests(EndCases, LossCases, SynchronousTestCase):
    make = staticmethod(make_server)


class EncryptedServerEndTests(EndCases, LossCases, SynchronousTestCase):
    make = staticmethod(make_server)
    key = KEY


class ClientEndTests(EndCases, LossCases, SynchronousTestCase):
    make = staticmethod(make_client)


class EncryptedClientEndTests(EndCases, LossCases, SynchronousTestCase):
    make = staticmethod(make_client)
    key = KEY
