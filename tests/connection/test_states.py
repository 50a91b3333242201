"""Tests of a session's states: the table, whether both sides follow it, and the ends."""

from collections.abc import Callable
from itertools import product
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import Ended
from chatd.connection.states import TRANSITIONS, State, Trigger, advance
from chatd.errors import ErrorCode, LocalProtocolError, RequestError
from chatd.wire.large import LARGE_CONTENT
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

# The path of a session without faults.
WAY = (
    (State.CONNECTING, Trigger.CHANNEL_OPENED),
    (State.GREETING, Trigger.GREETED),
    (State.ADMISSION, Trigger.ADMITTED),
    (State.ESTABLISHED, None),
)
OPEN = {state for state, _ in WAY}
TAKING = {State.ESTABLISHED, State.FAULTED, State.DRAINING}


def expected(state: State, trigger: Trigger) -> State | None:
    """Return the next state by rules, not by the table; None if there is no transition."""
    if trigger is Trigger.CONNECTION_LOST:
        return None if state is State.CLOSED else State.CLOSED
    if trigger is Trigger.ENDED:
        return State.CLOSING if state in {*OPEN, State.FAULTED} else None
    if state not in OPEN:
        return None
    if trigger is Trigger.PEER_ENDED:
        # Before the channel is open, no frame can cause this.
        return None if state is State.CONNECTING else State.DRAINING
    if trigger is Trigger.FAULT_FOUND:
        return State.FAULTED
    place = WAY.index((state, trigger)) if (state, trigger) in WAY else None
    return None if place is None else WAY[place + 1][0]


class TransitionsTests(SynchronousTestCase):
    def test_complete(self):
        """The table has exactly the pairs of state and trigger that the rules give."""
        for state, trigger in product(State, Trigger):
            self.assertIs(TRANSITIONS.get((state, trigger)), expected(state, trigger))

    def test_advance(self):
        """`advance` returns the next state of the table."""
        for (state, trigger), following in TRANSITIONS.items():
            self.assertIs(advance(state, trigger), following)

    def test_refused(self):
        """`advance` raises the caller's error for a pair that is not in the table."""
        refused = [pair for pair in product(State, Trigger) if pair not in TRANSITIONS]
        self.assertIn((State.CLOSED, Trigger.CONNECTION_LOST), refused)
        for state, trigger in refused:
            with self.assertRaises(LocalProtocolError) as caught:
                advance(state, trigger)
            self.assertIn(state.value, str(caught.exception))
            self.assertIn(trigger.value, str(caught.exception))

    def test_reachable(self):
        """Every state can be reached from the first state."""
        reached = {State.CONNECTING}
        for _ in State:
            reached |= {after for (state, _), after in TRANSITIONS.items() if state in reached}
        self.assertEqual(reached, set(State))

    def test_ends(self):
        """The last state has no transitions, and no transition leads back."""
        order = list(State)
        for (state, _), following in TRANSITIONS.items():
            self.assertLess(order.index(state), order.index(following))
            self.assertIsNot(state, State.CLOSED)


SIDES: tuple[Callable[..., Any], ...] = (make_server, make_client)


class SidesTests(SynchronousTestCase):
    def test_reached_with_a_key(self):
        """With a key, each side reaches every state."""
        for make, state in product(SIDES, State):
            self.assertIs(bring_to(state, make(KEY), KEY).state, state)

    def test_reached_without_a_key(self):
        """Without a key, each side reaches every state but the first, which is the handshake's."""
        for make, state in product(SIDES, set(State) - {State.CONNECTING}):
            self.assertIs(bring_to(state, make()).state, state)
            self.assertIs(make().state, State.GREETING)

    def test_lost_in_every_state(self):
        """The loss of the transport closes a session in any state; a second loss does nothing."""
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
        """The state alone decides whether a session reads, is over, or takes frames."""
        for make, state in product(SIDES, State):
            connection = bring_to(state, make(KEY), KEY).connection
            self.assertEqual(connection.is_established, state is State.ESTABLISHED)
            self.assertEqual(connection.is_over, state not in {*OPEN, State.FAULTED})
            waits = state is State.ADMISSION and make is make_server
            self.assertEqual(connection.is_readable, state in OPEN and not waits)
            self.assertEqual(connection.takes_frames, state in TAKING)


class EndCases(SideCases):
    """The ends of a session, and the frames that are still sent and read then."""

    def test_disconnect_received(self):
        """A DISCONNECT causes an event and ends the session; this side reads nothing after it."""
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
        """Frames queued before a DISCONNECT, and frames that others queue, are still sent."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        peer.say(ping(1), GOODBYE)
        peer.connection.queue_frames(peer.encode(ping(9)))
        self.assertEqual(peer.hear(), [HELLO, pong(1), ping(9)])

    def test_answers_while_draining(self):
        """This side can answer earlier requests after a DISCONNECT, until the transport is lost."""
        peer = self.at(State.DRAINING)
        peer.connection.send(HELLO.type, HELLO.header, HELLO.content)
        peer.connection.send_error(RequestError("not-today", "no", ref="m1"))
        said, refusal = peer.hear()
        self.assertEqual(said, HELLO)
        self.assertEqual((refusal.header.code, refusal.header.ref), ("not-today", "m1"))
        self.assertIs(peer.state, State.DRAINING)

    def test_end(self):
        """`end` sends its reason after all queued frames, and whether to come back."""
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
        """The first end counts; a later end, or an end after the peer's, sends nothing."""
        for state in (State.DRAINING, State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            reason = peer.connection.end_reason
            peer.connection.end("other", "again")
            self.assertEqual(peer.hear(), [])
            self.assertIs(peer.state, state)
            self.assertIs(peer.connection.end_reason, reason)

    def test_send_after_the_end(self):
        """Sending after the end raises the caller's error."""
        for state in (State.CLOSING, State.CLOSED):
            peer = self.at(state)
            peer.hear()
            with self.assertRaises(LocalProtocolError):
                peer.connection.send(HELLO.type, HELLO.header)
            with self.assertRaises(LocalProtocolError):
                peer.connection.send_ping()
            self.assertEqual(peer.hear(), [])

    def test_read_after_own_end(self):
        """After this side has ended the session, the connection does not read bytes on the way."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.receive_data(peer.seal(peer.encode(HELLO, HELLO)))
        events = answered(peer.connection)
        self.assertEqual(next(events), HELLO)
        peer.connection.end("goodbye", "bye")
        self.assertEqual(list(events), [])
        self.assertEqual(peer.say(HELLO), [])

    def test_send_too_much(self):
        """Content over the limit raises the caller's error, and this side sends none of it."""
        peer = self.at(State.ESTABLISHED)
        with self.assertRaises(LocalProtocolError):
            peer.connection.send(4, ChatHeader(id="m1"), bytes(MAX_CONTENT + 1))
        self.assertEqual(peer.hear(), [])
        self.assertIs(peer.state, State.ESTABLISHED)

    def test_discard_queued(self):
        """The connection counts queued frames in bytes, and can drop them before it sends them."""
        peer = self.at(State.ESTABLISHED)
        frames = peer.encode(HELLO)
        peer.connection.queue_frames(frames)
        peer.connection.queue_frames(frames)
        self.assertEqual(peer.connection.bytes_to_send, 2 * len(frames))
        peer.connection.discard_queued()
        self.assertEqual(peer.connection.bytes_to_send, 0)
        self.assertEqual(peer.hear(), [])

    def test_shared(self):
        """Many queued bytes are not joined: other sessions may share them."""
        shared = bytes(2 * LARGE_CONTENT)
        for take_all in (False, True):
            connection = self.at(State.ESTABLISHED).connection
            for frames in (b"a", b"b", shared, b"c", shared, b"d", b"e"):
                connection.queue_frames(frames)
            if take_all:
                taken = connection.all_frames()
            else:
                taken = list(iter(connection.plaintext_to_send, b""))
                self.assertEqual(
                    [len(piece) for piece in taken], [2, len(shared), 1, len(shared), 2]
                )
            self.assertEqual(b"".join(taken), b"ab" + shared + b"c" + shared + b"de")
            self.assertEqual([piece is shared for piece in taken].count(True), 2)
            self.assertEqual(connection.bytes_to_send, 0)

    def test_sent_once(self):
        """The connection sends queued frames once; then no frame waits."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.send_ping()
        self.assertEqual(peer.hear(), [ping(1)])
        self.assertEqual(peer.connection.bytes_to_send, 0)
        self.assertEqual(peer.connection.data_to_send(), b"")


class LossCases(SideCases):
    """The reasons that a session gives for the loss of its transport."""

    def test_lost_between_frames(self):
        """A loss between two frames has its own reason, and the peer may connect again."""
        peer = self.at(State.ESTABLISHED)
        peer.say(HELLO)
        peer.connection.connection_lost()
        end = peer.connection.end_reason
        self.assertEqual((end.code, end.retry), ("connection-lost", True))
        self.assertIn("lost", end.reason)

    def test_cut_inside(self):
        """A loss inside a frame or a record has its own reason, at any byte."""
        whole = self.at(State.ESTABLISHED).seal(raw_frame(4, b'{"id":"m1"}', b"hello", self.key))
        for cut in (1, 3, 4, 5, 50, 70, len(whole) - 1):
            peer = self.at(State.ESTABLISHED)
            peer.feed(peer.seal(peer.encode(HELLO))[:cut])
            peer.connection.connection_lost()
            self.assertEqual(peer.connection.end_reason.code, "connection-lost")
            self.assertIn("cut", peer.connection.end_reason.reason)

    def test_cut_inside_a_frame_between_records(self):
        """A frame is cut too if the loss comes after its first record."""
        peer = self.at(State.ESTABLISHED)
        peer.say_frames(peer.encode(HELLO)[:-1])
        peer.connection.connection_lost()
        self.assertIn("cut", peer.connection.end_reason.reason)

    def test_whole_frames_that_wait(self):
        """Complete frames that wait to be read do not count as a cut."""
        peer = self.at(State.ESTABLISHED)
        peer.connection.receive_data(peer.seal(peer.encode(HELLO, HELLO)))
        self.assertEqual(next(answered(peer.connection)), HELLO)
        peer.connection.connection_lost()
        self.assertNotIn("cut", peer.connection.end_reason.reason)

    def test_nothing_is_read_or_said(self):
        """After the loss, this side reads nothing; an earlier reason of the end stays."""
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
