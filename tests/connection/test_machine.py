"""State machines for any call in any state of one side of a session, with any far end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatd.connection.client import ClientConnection
from chatd.connection.connection import Connection
from chatd.connection.events import AdmissionAsked, Ended, Event, Faulted, PongReceived, Welcomed
from chatd.connection.limits import MAX_UNESTABLISHED_FRAME
from chatd.connection.server import ServerConnection
from chatd.connection.states import TRANSITIONS, State
from chatd.errors import KeyMismatchError, LocalProtocolError, RequestError
from chatd.wire.codec import Codec
from chatd.wire.frames import LENGTH_BYTES
from chatd.wire.messages import ChatHeader, Message, MessageType
from tests.connection.wiring import (
    ACK,
    GOODBYE,
    GREETING,
    INIT,
    KEY,
    RARELY,
    ROOMS,
    WELCOME,
    answered,
    bring_to,
    channel_of,
    error,
    ping,
    pong,
)
from tests.fuzz.held import held_bytes
from tests.wire.hostile import FAULTS, MakeFrame

MAX_RECORD = 2 + 65_535
REQUEST_CODES = {"unknown-type", "unexpected-type", "bad-request"}
OWN_WORD = "some-word"
"""The code of the ERRORs that a test makes a connection send."""
FOLLOWING = {
    before: {after for (state, _), after in TRANSITIONS.items() if state is before}
    for before in State
}
bounded = settings(max_examples=100, stateful_step_count=40)


def watched(side: Any) -> Any:
    """Return a side that fails if its state leaves the table, or if its end changes."""

    class Watched(side):  # type: ignore[misc]  # of either side, which mypy takes for anything
        @property
        def state(self) -> State:
            return self._state

        @state.setter
        def state(self, state: State) -> None:
            before = getattr(self, "_state", None)
            assert before is None or state in FOLLOWING[before], (before, state)
            self._state = state

        @property
        def end_reason(self) -> Exception | None:
            return self._end_reason

        @end_reason.setter
        def end_reason(self, reason: Exception | None) -> None:
            before = getattr(self, "_end_reason", None)
            assert before is None or before is reason, (before, reason)
            self._end_reason = reason

    return Watched


def make_watched(side: type[Connection], key: bytes | None) -> Connection:
    """Return either side, watched."""
    codec = Codec(key, max_content=GREETING.max_content)
    if side is ServerConnection:
        return watched(side)(codec, channel_of(key, is_server=True), GREETING, 0.0)
    return watched(side)(codec, channel_of(key, is_server=False), 0.0, name="alice")


SAYABLE = {
    "init": lambda n: INIT,
    "ack": lambda n: ACK,
    "welcome": lambda n: WELCOME,
    "message": lambda n: Message.chat(b"x" * (n % 7), id=f"m{n}"),
    "large message": lambda n: Message.chat(bytes(9_000), id=f"m{n}"),
    "command": lambda n: Message(MessageType.COMMAND, {"id": f"m{n}", "command": "who"}),
    "result": lambda n: Message(MessageType.RESULT, {"id": f"m{n}"}),
    "event": lambda n: Message(MessageType.EVENT, {"event": "joined", "id": f"m{n}"}),
    "ping": ping,
    "pong": pong,
    "error": lambda n: error("not-today", ref=f"m{n}"),
    "chunk": lambda n: Message(MessageType.CHUNK, {}),
    "unknown type": lambda n: Message(11 + n, {"id": f"x{n}"}),
}


def number_of(event: Event) -> int | None:
    """Return the number in an event or its message, if it has one."""
    if isinstance(event, PongReceived):
        return event.n
    if not isinstance(event, Message):
        return None
    header = event.header
    id = header.get("id") if isinstance(header, dict) else getattr(header, "ref", None)
    if isinstance(header, ChatHeader):
        id = header.id
    return int(id[1:]) if id and id[1:].isdigit() else None


class ConnectionMachine(RuleBasedStateMachine):
    """One side of a session; a subclass gives the side and the key."""

    side: ClassVar[type[Connection]]
    key: ClassVar[bytes | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.connection: Any = make_watched(self.side, self.key)
        self.codec = Codec(self.key)
        self.now = 0.0
        self.number = 0
        self.arriving = bytearray()
        self.told: list[Event] = []
        self.heard: list[Message] = []

    @initialize(state=st.sampled_from([*[State.ESTABLISHED] * 6, State.GREETING, *State]))
    def begin(self, state: State) -> None:
        """Begin in any state."""
        if state is State.CONNECTING and self.key is None:
            state = State.GREETING
        self.peer = bring_to(state, self.connection, self.key)
        self.reader = self.codec.reader()

    # The far end's frames

    @rule(
        kinds=st.lists(st.sampled_from(list(SAYABLE)), min_size=1, max_size=5),
        lengths=st.lists(st.integers(1, 300), max_size=3),
        arrives_whole=st.booleans(),
    )
    def say(self, kinds: list[str], lengths: list[int], arrives_whole: bool) -> None:
        """Send faultless frames of any type; some or all bytes on the way arrive."""
        frames = b""
        for kind in kinds:
            self.number += 1
            frames += self.codec.encode(SAYABLE[kind](self.number))
        self.put(frames)
        for length in lengths:
            self.deliver(length)
        if arrives_whole:
            self.deliver_all()

    @rule(is_meant=RARELY)
    def say_goodbye(self, is_meant: bool) -> None:
        """End the session at the far end."""
        if is_meant:
            self.put(self.codec.encode(GOODBYE))

    @rule(frames=FAULTS, is_meant=RARELY)
    def say_faulty(self, frames: MakeFrame, is_meant: bool) -> None:
        """Send a faulty frame, or other bytes."""
        if is_meant:
            self.put(frames(self.key))

    @precondition(lambda self: not self.connection.is_established and not self.arriving)
    @rule(is_meant=st.booleans())
    def say_too_much(self, is_meant: bool) -> None:
        """Send most of a frame that is too long before establishment."""
        if is_meant:
            self.number += 1
            self.put(self.codec.encode(SAYABLE["large message"](self.number)))
            self.deliver(8_900)

    @rule(data=st.binary(min_size=1, max_size=100), at=st.integers(0, 200), is_meant=RARELY)
    def damage(self, data: bytes, at: int, is_meant: bool) -> None:
        """Insert any bytes between the bytes on the way."""
        if is_meant:
            self.arriving[at:at] = data

    @precondition(lambda self: self.connection.state is State.CONNECTING)
    @rule()
    def shake_hands(self) -> None:
        """Do the far end's part of the secure channel's handshake, if it is due."""
        self.hear()
        self.put(b"")

    def put(self, frames: bytes) -> None:
        """Put frames on the way."""
        self.arriving += self.peer.channel.handshake_to_send()
        if self.peer.channel.is_open:
            self.arriving += self.peer.channel.seal(frames)

    # Arriving bytes, and acting on them

    @rule(length=st.integers(1, 300))
    def deliver(self, length: int) -> None:
        """Deliver some bytes, and act on all events."""
        self.arrive(length)
        self.take(answered(self.connection))
        if self.connection.is_readable:
            assert held_bytes(self.connection) <= self.most()

    @rule()
    def deliver_all(self) -> None:
        """Deliver all bytes, and act on all events."""
        self.deliver(len(self.arriving))

    @rule(length=st.integers(0, 300), most=st.integers(0, 3))
    def deliver_and_stop(self, length: int, most: int) -> None:
        """Deliver some bytes, and act on a few events, with a call for each."""
        self.arrive(length)
        for _ in range(most):
            event = next(answered(self.connection), None)
            self.take(iter(() if event is None else (event,)))

    def arrive(self, length: int) -> None:
        """Feed the connection the first bytes on the way."""
        self.connection.receive_data(bytes(self.arriving[:length]))
        del self.arriving[:length]

    def take(self, events: Iterator[Event]) -> None:
        """Record events."""
        for event in events:
            is_end = isinstance(event, Ended)
            assert is_end or not self.connection.is_over, event
            self.told.append(event)

    def most(self) -> int:
        """Return the most bytes that the connection may hold: its longest frame, and a record."""
        frame = MAX_UNESTABLISHED_FRAME
        if self.connection.is_established:
            frame = self.codec.with_max_content(GREETING.max_content).max_frame
        return LENGTH_BYTES + frame + (0 if self.key is None else MAX_RECORD)

    @precondition(lambda self: self.connection.state is State.FAULTED)
    @rule()
    def act_on_fault(self) -> None:
        """Answer a fault."""
        self.connection.end_faulty()

    # The owner's calls

    @rule(seconds=st.sampled_from((0.0, 0.4, 1.0, 5.0)))
    def tick(self, seconds: float) -> None:
        """Advance the time."""
        self.now += seconds
        self.connection.tick(self.now)

    @rule(retry=st.booleans(), is_meant=RARELY)
    def end(self, retry: bool, is_meant: bool) -> None:
        """End the session."""
        if is_meant:
            self.connection.end("goodbye", "enough", retry=retry)
            assert self.connection.is_over

    @rule(cause=st.sampled_from(("", "no route")), is_meant=RARELY)
    def lose(self, cause: str, is_meant: bool) -> None:
        """Lose the transport."""
        if is_meant:
            self.connection.connection_lost(cause)
            assert self.connection.state is State.CLOSED

    @rule(pings=st.booleans())
    def send(self, pings: bool) -> None:
        """Send a ping or an ERROR, if that is allowed."""
        state = self.connection.state
        is_allowed = state not in (State.CONNECTING, State.CLOSING, State.CLOSED)
        try:
            if pings:
                self.connection.send_ping()
            else:
                self.connection.send_error(RequestError(OWN_WORD, "no"))
        except LocalProtocolError:
            assert state in (State.CONNECTING, State.CLOSING, State.CLOSED, State.FAULTED)
        else:
            assert is_allowed or self.key is None or state is State.FAULTED

    @rule()
    def hear(self) -> None:
        """Let the far end read the output: complete, valid frames, and nothing after the last."""
        self.peer.channel.receive_data(self.connection.data_to_send())
        while plaintext := self.peer.channel.next_plaintext():
            self.reader.receive_data(plaintext)
            self.heard += self.codec.decode_stream(self.reader)
        assert self.reader.is_empty
        goodbyes = [each for each in self.heard if each.type == MessageType.DISCONNECT]
        assert goodbyes in ([], self.heard[-1:]), self.heard

    # Invariants

    @invariant()
    def an_end_has_its_reason(self) -> None:
        """A session has a reason for its end if and only if it is over."""
        assert self.connection.is_over == (self.connection.end_reason is not None)

    @invariant()
    def nothing_is_told_twice(self) -> None:
        """Numbered events come in order, and all other events once."""
        numbers = [n for n in map(number_of, self.told) if n is not None]
        assert all(before < after for before, after in pairwise(numbers)), numbers
        for kind in (AdmissionAsked, Welcomed, Faulted, Ended):
            assert sum(isinstance(event, kind) for event in self.told) <= 1, self.told
        ends = [event for event in self.told if isinstance(event, Faulted | Ended)]
        assert ends in ([], self.told[-1:]), self.told

    def teardown(self) -> None:
        """Check that a fault was answered with one ERROR and one DISCONNECT, and nothing else was.

        If this side ended the session before it answered, it has sent only DISCONNECT.
        """
        if not hasattr(self, "peer"):
            return
        self.connection.end_faulty()
        self.hear()
        said = [
            (each.type, each.header.code)
            for each in self.heard
            if each.type in (MessageType.ERROR, MessageType.DISCONNECT)
        ]
        faults = [code for kind, code in said if kind == 5 and code not in self.usual_codes()]
        fault = next((event.error for event in self.told if isinstance(event, Faulted)), None)
        if fault is None or isinstance(fault, KeyMismatchError) or not faults:
            return
        assert faults == [fault.code], said
        assert said[-2:] == [(5, fault.code), (6, fault.code)], said

    def usual_codes(self) -> set[str]:
        """Return the codes of ERRORs for faulty requests and for refusals."""
        return {*REQUEST_CODES, OWN_WORD, "bad-session", "bad-name"}


class ServerMachine(ConnectionMachine):
    """The server's side."""

    side = ServerConnection

    @rule()
    def admit(self) -> None:
        """Admit the client: this does nothing after the end, and otherwise needs a request."""
        state = self.connection.state
        try:
            self.connection.admit("alice", ROOMS)
        except LocalProtocolError:
            assert state in (State.CONNECTING, State.GREETING, State.ESTABLISHED, State.FAULTED)
        else:
            assert state is State.ADMISSION or self.connection.is_over

    @rule(is_meant=RARELY)
    def refuse(self, is_meant: bool) -> None:
        """Refuse the client."""
        if is_meant:
            self.connection.refuse("bad-name", "no")
            assert self.connection.is_over


class ClientMachine(ConnectionMachine):
    """The client's side."""

    side = ClientConnection


class SecureServerMachine(ServerMachine):
    """The server's side, with a key."""

    key = KEY


class SecureClientMachine(ClientMachine):
    """The client's side, with a key."""

    key = KEY


class MachineTests(SynchronousTestCase):
    def test_server(self):
        """A server without a key keeps all rules, after any calls and any bytes."""
        run_state_machine_as_test(ServerMachine, settings=bounded)

    def test_client(self):
        """A client without a key keeps all rules, after any calls and any bytes."""
        run_state_machine_as_test(ClientMachine, settings=bounded)

    def test_secure_server(self):
        """A server with a key keeps all rules, after any calls and any bytes."""
        run_state_machine_as_test(SecureServerMachine, settings=bounded)

    def test_secure_client(self):
        """A client with a key keeps all rules, after any calls and any bytes."""
        run_state_machine_as_test(SecureClientMachine, settings=bounded)
