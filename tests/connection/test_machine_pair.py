"""Both sides of a session, joined by pipes that cut and damage the bytes."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.events import AdmissionAsked, Ended, Event, Faulted, Run
from chatd.connection.states import State
from chatd.wire.channel import PREAMBLE
from chatd.wire.messages import Error, Message
from tests.connection.wiring import KEY, RARELY, ROOMS, error, make_client, make_server

HANDSHAKE_RECORD = 2 + 48
bounded = settings(max_examples=100, stateful_step_count=30)
# The possible error codes for a changed byte; a key is the end of the offsets that it covers.
CLEAR_CODES = {
    4: {"bad-length", "too-large"},
    12: {"bad-magic"},
    14: {"bad-version"},
    16: {"bad-mac"},
    20: {"bad-length"},
    24: {"bad-crc"},
    32: {"bad-length"},
    36: {"bad-crc"},
    68: {"bad-mac"},
    2**32: {"bad-crc"},
}


class Pipe:
    """The bytes on their way to one side, counted from the first.

    Attributes:
        flying: The bytes that have not arrived.
        frames: The offset of each frame, if there are no records.
        damaged_at: The offset of the changed byte; None if no byte was changed.
    """

    def __init__(self) -> None:
        self.flying = bytearray()
        self.frames: list[int] = []
        self.damaged_at: int | None = None
        self._arrived = 0
        self._end = 0

    @property
    def end(self) -> int:
        """Return the number of bytes that entered the pipe."""
        return self._end

    def put(self, data: bytes) -> None:
        """Take the output of one side."""
        self.flying += data
        at = 0
        while at + 4 <= len(data):
            self.frames.append(self._end + at)
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        self._end += len(data)

    def take(self, length: int) -> bytes:
        """Deliver some bytes."""
        taken = bytes(self.flying[:length])
        del self.flying[:length]
        self._arrived += len(taken)
        return taken

    def damage(self, place: int, mask: int) -> None:
        """Change one byte that has not arrived."""
        place %= len(self.flying)
        self.flying[place] ^= mask
        self.damaged_at = self._arrived + place


class Side:
    """One side, its pipe, and the events that it should get.

    Attributes:
        sent: The messages that the other side sent to it.
        sent_by: For each message, the pipe's maximum length with it and all before it, in bytes.
        told: The events for these messages.
        fault: The fault that it was told of.
        end: The end that it was told of.
    """

    def __init__(self, connection) -> None:
        self.connection = connection
        self.pipe = Pipe()
        self.sent: list[Message] = []
        self.sent_by: list[int] = []
        self.told: list[Event] = []
        self.asks_admission = False
        self.fault: Faulted | None = None
        self.end: Ended | None = None

    def arrive(self, length: int) -> None:
        """Deliver some bytes, and record the events."""
        self.connection.receive_data(self.pipe.take(length))
        for event in self.connection.events():
            assert self.fault is None, event
            assert self.end is None, event
            if isinstance(event, Run):
                self.told.extend(event.messages)
            elif isinstance(event, Message):
                answers_fault = isinstance(event.header, Error) and event.header.ref is None
                if not answers_fault:
                    self.told.append(event)
            elif isinstance(event, Faulted):
                self.fault = event
            elif isinstance(event, Ended):
                self.end = event
            elif isinstance(event, AdmissionAsked):
                self.asks_admission = True


class PairMachine(RuleBasedStateMachine):
    """A server and a client; a subclass gives the key."""

    key: ClassVar[bytes | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.server = Side(make_server(self.key))
        self.client = Side(make_client(self.key))
        self.number = 0
        self.now = 0.0

    @initialize(is_established=st.sampled_from((True, False, True)))
    def begin(self, is_established: bool) -> None:
        """Begin with a session, or with the handshake."""
        if is_established:
            self.settle()

    def sides(self, of_server: bool) -> tuple[Side, Side]:
        """Return one side, and the other."""
        return (self.server, self.client) if of_server else (self.client, self.server)

    @rule(of_server=st.booleans(), size=st.sampled_from((0, 1, 100, 9_000, 70_000)))
    def send(self, of_server: bool, size: int) -> None:
        """Send a message of any size, if there is a session."""
        near, far = self.sides(of_server)
        if near.connection.is_established:
            self.number += 1
            content = self.number.to_bytes(4, "big") * (size // 4)
            message = Message.chat(content, id=f"m{self.number}")
            near.connection.send(message.type, message.header, message.content)
            far.sent.append(message)

    @rule(of_server=st.booleans())
    def complain(self, of_server: bool) -> None:
        """Send an ERROR."""
        near, far = self.sides(of_server)
        if near.connection.is_established:
            self.number += 1
            message = error("not-today", ref=f"m{self.number}")
            near.connection.send(message.type, message.header)
            far.sent.append(message)

    @rule(of_server=st.booleans())
    def flush(self, of_server: bool) -> None:
        """Put the output into the pipe."""
        near, far = self.sides(of_server)
        far.pipe.put(near.connection.data_to_send())
        far.sent_by += [far.pipe.end] * (len(far.sent) - len(far.sent_by))

    @rule(of_server=st.booleans(), lengths=st.lists(st.integers(1, 400), min_size=1, max_size=6))
    def deliver(self, of_server: bool, lengths: list[int]) -> None:
        """Deliver some of the bytes on the way, in pieces."""
        near, _ = self.sides(of_server)
        for length in lengths:
            near.arrive(length)

    @rule()
    def admit(self) -> None:
        """Admit the client, if it asks."""
        if self.server.asks_admission:
            self.server.asks_admission = False
            self.server.connection.admit("alice", ROOMS)
            self.server.arrive(0)

    @rule()
    def tick(self) -> None:
        """Advance the time."""
        self.now += 0.25
        self.server.connection.tick(self.now)
        self.client.connection.tick(self.now)

    @rule(of_server=st.booleans(), is_meant=RARELY)
    def end(self, of_server: bool, is_meant: bool) -> None:
        """End the session at one side."""
        if is_meant:
            near, _ = self.sides(of_server)
            near.connection.end("shutting-down", "bye", retry=True)

    @rule()
    def settle(self) -> None:
        """Deliver everything, until no bytes are on the way."""
        while True:
            self.flush(True)
            self.flush(False)
            self.admit()
            if not (self.server.pipe.flying or self.client.pipe.flying):
                return
            for side in (self.server, self.client):
                side.arrive(len(side.pipe.flying))

    def teardown(self) -> None:
        """Check the final state."""
        self.settle()
        for near, far in (self.sides(True), self.sides(False)):
            assert near.told == near.sent[: len(near.told)], (near.told, near.sent)
            if near.fault is None:
                self.check_end(near, far)
            near.connection.connection_lost()
            assert near.connection.state is State.CLOSED

    def check_end(self, near: Side, far: Side) -> None:
        """Check that a side that read to the end got all messages and the reason of the end."""
        if near.connection.state in (State.ESTABLISHED, State.DRAINING):
            assert near.told == near.sent
        if near.end is not None:
            told, real = near.end.end, far.connection.end_reason
            assert (told.code, told.reason, told.retry) == (real.code, real.reason, real.retry)
        elif far.connection.state is State.CLOSING:
            assert near.connection.state is State.CLOSING or self.is_without_words(near)

    def is_without_words(self, near: Side) -> bool:
        """Return whether a side can have no word of the end: the channel was not open."""
        return near.connection.state in (State.CONNECTING, State.GREETING)


class DamagingMachine(PairMachine):
    """A server and a client without a key; the network changes one byte."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: Side | None = None

    @precondition(lambda self: self.damaged is None)
    @rule(of_server=st.booleans(), place=st.integers(0, 2**16), mask=st.integers(1, 255))
    def damage(self, of_server: bool, place: int, mask: int) -> None:
        """Change one byte on the way to a side."""
        self.send(not of_server, 100)
        self.flush(not of_server)
        near, _ = self.sides(of_server)
        if near.pipe.flying:
            near.pipe.damage(place, mask)
            self.damaged = near

    def check_end(self, near: Side, far: Side) -> None:
        """Check the side without damage; the damaged side may wait for more bytes forever."""
        if self.damaged is None:
            super().check_end(near, far)

    def teardown(self) -> None:
        """Check that the other side finds and reports the damage, with the right code."""
        super().teardown()
        near = self.damaged
        for side in (self.server, self.client):
            assert side.fault is None or side is near, side.fault
        if near is None or near.fault is None:
            return
        at = near.pipe.damaged_at
        assert at is not None
        codes = self.codes_of(near, at)
        assert near.fault.error.code in codes, (near.fault, at, codes)
        assert len(near.told) >= sum(end <= at for end in near.sent_by)

    def codes_of(self, near: Side, at: int) -> set[str]:
        """Return the possible codes for a changed byte at an offset."""
        start = max(start for start in near.pipe.frames if start <= at)
        codes = next(codes for end, codes in CLEAR_CODES.items() if at - start < end)
        if near is self.client and at == 0:  # the first byte tells the client more
            return {"bad-magic", "key-required"}
        return codes


class SecurePairMachine(PairMachine):
    """A server and a client with a key."""

    key = KEY


class SecureDamagingMachine(DamagingMachine):
    """A server and a client with a key; the network changes one byte."""

    key = KEY

    def codes_of(self, near: Side, at: int) -> set[str]:
        """Return the possible codes for a changed byte at an offset."""
        if near is self.client:
            if at < len(PREAMBLE):
                return {"bad-magic", "key-unexpected"}
            at -= len(PREAMBLE)
        return {"wrong-key"} if 2 <= at < HANDSHAKE_RECORD else {"bad-record"}


class PairTests(SynchronousTestCase):
    def test_pieces(self):
        """All messages arrive once and in order, in any pieces of the bytes."""
        run_state_machine_as_test(PairMachine, settings=bounded)

    def test_pieces_with_a_key(self):
        """All records arrive once and in order, in any pieces of the bytes."""
        run_state_machine_as_test(SecurePairMachine, settings=bounded)

    def test_damage(self):
        """A side finds and reports damage with the right code, and gets no damaged message."""
        run_state_machine_as_test(DamagingMachine, settings=bounded)

    def test_damage_with_a_key(self):
        """A side finds and reports damage with the right code, and gets no damaged record."""
        run_state_machine_as_test(SecureDamagingMachine, settings=bounded)
