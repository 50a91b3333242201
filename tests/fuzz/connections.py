"""The fuzzers' two largest targets: a whole connection of each side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chatd.connection.client import ClientConnection
from chatd.connection.connection import Connection
from chatd.connection.events import AdmissionAsked, Ended, Event, Faulted
from chatd.connection.limits import MAX_UNESTABLISHED_FRAME
from chatd.connection.server import ServerConnection
from chatd.connection.states import State
from chatd.errors import KeyMismatchError
from chatd.wire.channel import ClearChannel
from chatd.wire.codec import Codec
from chatd.wire.frames import LENGTH_BYTES
from chatd.wire.messages import (
    Disconnect,
    Error,
    Heartbeat,
    Message,
    MessageType,
    SessionAck,
    SessionInit,
)
from tests.connection.wiring import answered, reachable
from tests.fuzz import book
from tests.fuzz.choices import Choices
from tests.fuzz.held import held_bytes
from tests.fuzz.targets import MAX_CONTENT, hold, same, ways
from tests.wire.samples import KEY, make_frame

__all__ = ["client", "server"]

# The frames are signed with the key, but come without records, which have their own target: so the
# fuzzer's bytes reach the frames unchanged.
CODEC = Codec(KEY, max_content=MAX_CONTENT)
SESSION_ID = "0b4e9f6c-7d0e-4c57-9a41-3c2f3d1a5b60"
ROOMS = [{"room": "lobby", "epoch": "e1", "seq": 7}]
GREETING = SessionInit(session_id=SESSION_ID, server="chatd/fuzz", max_content=MAX_CONTENT)
WELCOME = {"event": "welcome", "session_id": SESSION_ID, "name": "alice", "rooms": ROOMS}
SAID = [
    Message(MessageType.SESSION_INIT, GREETING),
    Message(MessageType.SESSION_ACK, SessionAck(session_id=SESSION_ID, name="alice")),
    Message(MessageType.EVENT, WELCOME),
    Message.chat("hello", id="m1"),
    Message(MessageType.COMMAND, {"id": "c1", "command": "who", "room": "lobby"}),
    Message(MessageType.RESULT, {"id": "c1"}),
    Message(MessageType.HEARTBEAT, Heartbeat(1), b"ping"),
    Message(MessageType.HEARTBEAT, Heartbeat(2), b"pong"),
    Message(MessageType.ERROR, Error(code="not-today", ref="m1")),
    Message(MessageType.DISCONNECT, Disconnect(reason="bye")),
]
Make = Callable[..., Any]


def server(data: bytes, make: Make = ServerConnection) -> None:
    """Feed a server any bytes: in any pieces, they have the same result, in good order."""

    def new() -> Connection:
        return make(CODEC, ClearChannel(), GREETING, 0.0)

    _talk(data, new, [CODEC.encode(SAID[1])])


def client(data: bytes, make: Make = ClientConnection) -> None:
    """Feed a client any bytes: in any pieces, they have the same result, in good order."""

    def new() -> Connection:
        return make(CODEC, ClearChannel(expects_server=True), 0.0, name="alice")

    _talk(data, new, [CODEC.encode(SAID[0]), CODEC.encode(SAID[2])])


def _talk(data: bytes, new: Callable[[], Connection], handshake: list[bytes]) -> None:
    choices = Choices(data)
    mode = choices.number()
    lengths = choices.piece()
    before = b"".join(handshake[: mode % (len(handshake) + 1)])
    stream = before + _stream(choices)
    outcomes = [_listen(new(), pieces, admits=mode < 0x80) for pieces in ways(stream, lengths)]
    same("however it arrives", *outcomes)


def _stream(choices: Choices) -> bytes:
    """Return a stream of good frames, bad frames and other bytes."""
    frames = []
    while choices:
        kind = choices.number() % 8
        if kind < 3:
            frames.append(CODEC.encode(choices.one_of(SAID)))
        elif kind == 3:
            frames.append(make_frame(choices.number(2), choices.piece(), choices.piece()))
        elif kind == 4:  # `{"id":"m1"}` with other fields
            header = b'{"id":"m1",' + choices.piece() + b"}"
            frames.append(make_frame(choices.number(), header, choices.piece()))
        elif kind == 5:
            changed = bytearray(CODEC.encode(choices.one_of(SAID)))
            bit = choices.number(2) % (8 * len(changed))
            changed[bit // 8] ^= 1 << bit % 8
            frames.append(bytes(changed))
        elif kind == 6:
            what = choices.number()
            frames.append(book.mend(choices.piece(), what))
        else:
            frames.append(choices.piece())
    return b"".join(frames)


def _listen(
    connection: Connection, pieces: Iterable[bytes], *, admits: bool
) -> tuple[str, list[Message], State, str]:
    """Feed a connection; return its events, its messages, its state and the reason of its end."""
    told: list[Event] = []
    said = bytearray(connection.data_to_send())
    for turn, piece in enumerate(pieces):
        connection.receive_data(piece)
        state = connection.state
        for event in answered(connection):
            told.append(event)
            if isinstance(event, AdmissionAsked):
                _admit(connection, admits=admits)
        if connection.state is not state:
            hold(
                connection.state in reachable(state), "a way of the table", state, connection.state
            )
        said += connection.data_to_send()
        if turn % 50 == 0 and connection.is_readable:  # for each byte, it would take long
            hold(held_bytes(connection) <= _most(connection), "too much is kept")
    heard = _heard(bytes(said))
    _check_end(connection, told, heard)
    return repr(told), heard, connection.state, repr(connection.end_reason)


def _admit(connection: Any, *, admits: bool) -> None:
    if admits:
        connection.admit("alice", ROOMS)
    else:
        connection.refuse("bad-name", "no")


def _most(connection: Connection) -> int:
    """Return the longest frame that a connection may be gathering, in bytes."""
    if not connection.is_established:
        return LENGTH_BYTES + MAX_UNESTABLISHED_FRAME
    codec = CODEC
    if isinstance(connection, ClientConnection):
        codec = CODEC.with_max_content(connection.max_content)  # from the server
    return LENGTH_BYTES + codec.max_frame


def _heard(said: bytes) -> list[Message]:
    """Read the connection's output: whole frames, each of them good."""
    codec = CODEC.with_max_content(2**20)
    reader = codec.reader()
    reader.receive_data(said)
    heard = list(codec.decode_stream(reader))
    hold(reader.is_empty, "whole frames", said)
    return heard


def _check_end(connection: Connection, told: list[Event], heard: list[Message]) -> None:
    """Check that the event of an end, and the answer to it, come once and last."""
    ends = [event for event in told if isinstance(event, Faulted | Ended)]
    goodbyes = [message for message in heard if message.type == MessageType.DISCONNECT]
    hold(ends in ([], told[-1:]), "the end comes once and last", told)
    hold(goodbyes in ([], heard[-1:]), "DISCONNECT comes once and last", heard)
    hold(connection.is_over == (connection.end_reason is not None), "an end has a reason")
    hold(connection.state is not State.FAULTED, "a fault is answered")
    if not ends or isinstance(ends[0], Ended):
        return
    error = ends[0].error
    if isinstance(error, KeyMismatchError):  # without a common key, no answer can be read
        return
    last = [(message.type, getattr(message.header, "code", None)) for message in heard[-2:]]
    same("one ERROR and DISCONNECT", last, [(5, error.code), (6, error.code)])
