"""The events that a connection returns to its owner.

For a COMMAND, RESULT, ERROR or EVENT frame, the event is its `Message`. MESSAGE frames come in
runs. The other events are defined below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from chatd.errors import RemoteProtocolError, RequestError, SessionEnded
from chatd.wire.messages import Message, SessionAck

__all__ = [
    "AdmissionAsked",
    "Ended",
    "Event",
    "Faulted",
    "PingReceived",
    "PongReceived",
    "RequestFaulted",
    "Run",
    "Welcomed",
]


class Run(msgspec.Struct, frozen=True, gc=False):
    """One or more MESSAGE frames of an established session, with no other frame between them.

    Attributes:
        messages: The messages, in order.
    """

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class AdmissionAsked:
    """Server only: a client answered the greeting; call `admit` or `refuse`.

    Attributes:
        ack: The client's answer: the name and the rooms that it asks for, and its password.
    """

    ack: SessionAck


@dataclass(frozen=True, slots=True)
class Welcomed:
    """Client only: the session is established.

    Attributes:
        name: The name that the server gave the client.
        room: The session's own room; None if it is in no room.
        rooms: All rooms of the session, each with its `room` (the name), and its `epoch` and `seq`
            if the server sent them.
    """

    name: str
    room: str | None
    rooms: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class PingReceived:
    """The peer sent a ping; `Connection.answer` answers it.

    Attributes:
        n: The ping's number.
    """

    n: int


@dataclass(frozen=True, slots=True)
class PongReceived:
    """The peer answered a ping.

    Attributes:
        n: The ping's number.
    """

    n: int


@dataclass(frozen=True, slots=True)
class RequestFaulted:
    """The peer sent a faulty request; `Connection.answer` answers it, and the session goes on.

    Attributes:
        error: The fault.
    """

    error: RequestError


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer ended the session; nothing more is read.

    Attributes:
        end: The reason.
    """

    end: SessionEnded


@dataclass(frozen=True, slots=True)
class Faulted:
    """The peer broke the protocol; `Connection.end_faulty` tells the peer and ends the session.

    Attributes:
        error: The fault.
    """

    error: RemoteProtocolError


Event = (
    Message
    | Run
    | AdmissionAsked
    | Welcomed
    | PingReceived
    | PongReceived
    | RequestFaulted
    | Ended
    | Faulted
)
