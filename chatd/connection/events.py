"""What a connection tells its owner.

A MESSAGE, COMMAND, RESULT, ERROR or EVENT frame is told as its `Message`. The rest is below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    "Welcomed",
]


@dataclass(frozen=True, slots=True)
class AdmissionAsked:
    """At the server: a client answered the greeting; `admit` or `refuse` it.

    Attributes:
        ack: The name that it asks for, and its password.
    """

    ack: SessionAck


@dataclass(frozen=True, slots=True)
class Welcomed:
    """At the client: the session is established.

    Attributes:
        name: The name that the server gave it.
        room: The room it is in, if any.
        rooms: All the rooms it is in, each with its `room` (the name), and its `epoch` and `seq`
            where the server tells them.
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
    """The peer asked for something wrong, and the session goes on; `Connection.answer` tells it so.

    Attributes:
        error: The fault.
    """

    error: RequestError


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer ended the session; nothing more will be read.

    Attributes:
        end: Why.
    """

    end: SessionEnded


@dataclass(frozen=True, slots=True)
class Faulted:
    """The peer broke the protocol: when that is acted on, it is told so, and this side closes.

    Attributes:
        error: The fault.
    """

    error: RemoteProtocolError


Event = (
    Message
    | AdmissionAsked
    | Welcomed
    | PingReceived
    | PongReceived
    | RequestFaulted
    | Ended
    | Faulted
)
