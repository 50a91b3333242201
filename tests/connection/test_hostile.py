"""Tests of a session with any bytes: any frame in any state, cuts and tampering."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import (
    AdmissionAsked,
    Ended,
    Event,
    Faulted,
    PongReceived,
)
from chatd.connection.states import State
from chatd.errors import KeyMismatchError
from chatd.wire.bounds import (
    MAX_HEARTBEAT_S,
    MAX_MAX_CONTENT,
    MIN_HEARTBEAT_S,
    MIN_MAX_CONTENT,
)
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType
from tests.connection.wiring import (
    ACK,
    ACK_HEADER,
    GOODBYE,
    HELLO,
    INIT,
    KEY,
    ROOMS,
    WELCOME,
    WELCOMED,
    answered,
    bring_to,
    codes_of,
    error,
    make_client,
    make_server,
    ping,
    pong,
    reachable,
)
from tests.wire.hostile import ANY_FRAMES, FAULTS
from tests.wire.samples import in_pieces, raw_frame

SAID = (INIT, ACK, WELCOME, HELLO, GOODBYE, ping(1), pong(1), error("some-word"))
SIDES: st.SearchStrategy[Callable[..., Any]] = st.sampled_from((make_server, make_client))
KEYS = st.sampled_from((None, KEY))
REQUEST_CODES = {"unknown-type", "unexpected-type", "bad-request", "bad-session", "bad-name"}
moderate = settings(max_examples=150)


@dataclass(frozen=True)
class Attack:
    """An attack on a connection.

    Attributes:
        make: Makes the attacked side.
        key: The key of the attacked side.
        state: The state of the attacked side.
        stream: The bytes sent to it: good frames, bad frames, and other bytes.
        is_sealed: Whether the bytes come through the channel, or bypass it.
        admits: Whether a client that asks for admission is admitted.
    """

    make: Callable[..., Any]
    key: bytes | None
    state: State
    stream: bytes
    is_sealed: bool
    admits: bool


@st.composite
def attacks(draw: st.DrawFn) -> Attack:
    """Draw attacks."""
    key = draw(KEYS)
    good = st.sampled_from(SAID).map(Codec(key).encode)
    others = (ANY_FRAMES | FAULTS).map(lambda make: make(key))
    pieces = draw(st.lists(good | others, max_size=6))
    state = draw(st.sampled_from(State if key else tuple(State)[1:]))
    return Attack(
        draw(SIDES), key, state, b"".join(pieces), draw(st.booleans()), draw(st.booleans())
    )


class HostileTests(SynchronousTestCase):
    def play(
        self, attack: Attack, piece_bytes: int | None
    ) -> tuple[list[Event], list[Message], State]:
        """Attack a new connection; return its events, its frames and its state."""
        peer = bring_to(attack.state, attack.make(attack.key), attack.key)
        connection = peer.connection
        is_sealed = attack.is_sealed and attack.state is not State.CONNECTING
        data = peer.seal(attack.stream) if is_sealed else attack.stream
        told, said = [], peer.hear()
        for piece in in_pieces(data, piece_bytes):
            state = connection.state
            connection.receive_data(piece)
            for event in answered(connection):
                told.append(event)
                if isinstance(event, AdmissionAsked):
                    if attack.admits:
                        connection.admit("alice", ROOMS)
                    else:
                        connection.refuse("bad-name", "no")
            said += peer.hear()
            self.assertIn(connection.state, reachable(state))
        return told, said, connection.state

    @moderate
    @given(attacks(), st.integers(1, 60))
    def test_anything(self, attack, piece_bytes):
        """Any bytes in any pieces have the same result: no exception, one answer."""
        told, said, state = self.play(attack, None)
        again = self.play(attack, piece_bytes)
        self.assertEqual((repr(told), said, state), (repr(again[0]), again[1], again[2]))
        if attack.state is not State.FAULTED:  # continuing after a fault has answered it
            self.assertIsNot(state, State.FAULTED)
        ends = [event for event in told if isinstance(event, Faulted | Ended)]
        self.assertIn(ends, ([], told[-1:]))
        goodbyes = [message for message in said if message.type == MessageType.DISCONNECT]
        self.assertIn(goodbyes, ([], said[-1:]))
        if ends and isinstance(ends[0], Faulted):
            fault = ends[0].error
            # Without a channel or a common key, there is no way to tell the peer.
            has_words = attack.state is not State.CONNECTING
            has_words = has_words and not isinstance(fault, KeyMismatchError)
            expected = [(5, fault.code), (6, fault.code)] if has_words else []
            self.assertEqual(codes_of(said[-2:]), expected)
            self.assertIs(state, State.CLOSING)
        errors = [message.header.code for message in said if message.type == MessageType.ERROR]
        faults = [code for code in errors if code not in REQUEST_CODES]
        self.assertLessEqual(len(faults), 1)

    @moderate
    @given(attacks())
    def test_nothing_after_the_end(self, attack):
        """After the end of a session, received bytes cause no event and no answer."""
        peer = bring_to(attack.state, attack.make(attack.key), attack.key)
        peer.connection.end("goodbye", "bye")
        peer.hear()
        state, end = peer.state, peer.connection.end_reason
        self.assertEqual(peer.feed(attack.stream, 7), [])
        self.assertEqual(peer.connection.data_to_send(), b"")
        self.assertEqual((peer.state, peer.connection.end_reason), (state, end))

    @moderate
    @given(SIDES, KEYS, st.data())
    def test_tampering(self, make, key, data):
        """Of a stream with a changed byte, only the part before the change causes events."""
        peer = bring_to(State.ESTABLISHED, make(key), key)
        said = [Message.chat(bytes([n]) * n, id=f"m{n}") for n in range(6)]
        stream = b"".join(peer.seal(peer.encode(message)) for message in said)
        at = data.draw(st.integers(0, len(stream) - 1))
        cut = data.draw(st.integers(0, 60))
        put = data.draw(st.binary(max_size=8) | st.just(stream[at : at + cut + 1]))
        changed = stream[:at] + put + stream[at + cut :]
        told = peer.feed(changed, data.draw(st.none() | st.integers(1, 300)))
        messages = [event for event in told if isinstance(event, Message)]
        if key is None:  # without a key, whole frames can be removed or repeated, but not made up
            self.assertLessEqual({message.id for message in messages}, {m.id for m in said})
            self.assertTrue(all(message in said for message in messages))
        else:
            self.assertEqual(messages, said[: len(messages)])
        self.assertIn(told[len(messages) :], ([], told[-1:]))

    @moderate
    @given(SIDES, KEYS, st.data())
    def test_cut_anywhere(self, make, key, data):
        """A cut stream gives its complete frames, and the reason tells a cut inside a frame."""
        peer = bring_to(State.ESTABLISHED, make(key), key)
        said = [Message.chat(bytes([n]) * n, id=f"m{n}") for n in range(4)]
        sealed = [peer.seal(peer.encode(message)) for message in said]
        ends = [0, *accumulate(map(len, sealed))]
        cut = data.draw(st.sampled_from(ends) | st.integers(0, ends[-1]))
        told = peer.feed(b"".join(sealed)[:cut], data.draw(st.none() | st.integers(1, 40)))
        self.assertEqual(told, said[: sum(end <= cut for end in ends[1:])])
        peer.connection.connection_lost()
        self.assertEqual("cut" in peer.connection.end_reason.reason, cut not in ends)
        self.assertIs(peer.state, State.CLOSED)

    @moderate
    @given(KEYS, st.booleans(), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 3))))
    def test_abandoned(self, key, ends_badly, steps):
        """A caller that stops at an event and continues later misses and repeats no event."""
        peer = bring_to(State.GREETING, make_server(key), key)
        said = [ACK, HELLO, pong(1), ping(2), error("x"), HELLO, pong(3)]
        last = b"\0" * 4 if ends_badly else peer.encode(GOODBYE)
        data = b"".join(peer.seal(frame) for frame in [*map(peer.codec.encode, said), last, last])
        told = []
        for length, events in steps:
            peer.connection.receive_data(data[:length])
            data = data[length:]
            told += take(peer.connection, events)
        peer.connection.receive_data(data)
        told += take(peer.connection, 20)
        self.assertEqual(
            told[:-1],
            [
                AdmissionAsked(ACK_HEADER),
                HELLO,
                PongReceived(1),
                error("x"),
                HELLO,
                PongReceived(3),
            ],
        )
        self.assertIsInstance(told[-1], Faulted if ends_badly else Ended)

    @moderate
    @given(KEYS, st.lists(st.integers(0, 90)))
    def test_continued(self, key, lengths):
        """The same call reads bytes that arrive while the program acts on an event."""
        peer = bring_to(State.ESTABLISHED, make_server(key), key)
        said = [Message.chat(b"x" * n, id=f"m{n}") for n in range(6)]
        data = b"".join(peer.seal(peer.encode(message)) for message in said)
        peer.connection.receive_data(data[:200])
        data = data[200:]
        told = []
        for event in answered(peer.connection):
            told.append(event)
            length = lengths.pop() if lengths else len(data)
            peer.connection.receive_data(data[:length])
            data = data[length:]
        peer.connection.receive_data(data)
        self.assertEqual([*told, *answered(peer.connection)], said)

    @moderate
    @given(
        st.floats(MIN_HEARTBEAT_S, MAX_HEARTBEAT_S),
        st.integers(MIN_MAX_CONTENT, MAX_MAX_CONTENT),
        st.lists(st.floats(0, 1e9)),
    )
    def test_greeting(self, heartbeat, max_content, times):
        """With any interval and limit in the greeting, the client works."""
        peer = bring_to(State.GREETING, make_client())
        fields = {"session_id": "s", "heartbeat": heartbeat, "max_content": max_content}
        peer.say_frames(raw_frame(1, json.dumps(fields).encode()))
        self.assertEqual(peer.say(WELCOME), [WELCOMED])
        for now in sorted(times):
            peer.connection.tick(now)
        lost = peer.connection.end_reason
        self.assertEqual(lost is None, peer.state is State.ESTABLISHED)
        if lost is not None:
            self.assertEqual(lost.code, "heartbeat-timeout")
            self.assertGreaterEqual(len(times), 4)


def take(connection: Any, most: int) -> list[Event]:
    """Take a number of events, each with its own call; admit clients that ask."""
    told = []
    for _ in range(most):
        event = next(answered(connection), None)
        if event is None:
            break
        told.append(event)
        if isinstance(event, AdmissionAsked):
            connection.admit("alice", ROOMS)
    return told
