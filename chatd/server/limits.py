"""`Limits`: what a server lets its peers take of it, each of them and all together."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from chatd.connection.limits import HANDSHAKE_TIMEOUT_S, MAX_UNESTABLISHED_FRAME
from chatd.errors import ConfigurationError
from chatd.transport.protocol import MAX_PENDING

__all__ = ["MIN_FIRST_FRAME", "Limits"]

MIN_FIRST_FRAME = 512
"""What a client must be able to say first takes as much, in bytes."""
_LEAST = {"message_rate": 0, "command_rate": 0, "max_first_frame": MIN_FIRST_FRAME}
"""The least that some may be; the others are more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server lets its peers take of it.

    Attributes:
        max_waiting: How many bytes may wait for a peer that does not read, and one message more:
            it is told `slow-consumer`, and cut off.
        max_in_work: How many messages of a peer may wait for their answers before it is not read
            from.
        max_in_work_bytes: How many bytes of content they may have, and one message more.
        max_arriving: How many bytes may have arrived, of all peers together, that are of frames
            not whole or came faster than the rates: then those who hold much of it, the longest
            first, are told `overloaded`.
        max_sessions: How many sessions there may be: more are told `too-many-sessions`.
        max_sessions_per_address: How many of them may be of one address; all of an IPv6 address's
            first 64 bits are one, so are a machine's own, and so is its user on a UNIX socket.
        max_unestablished: How many connections may be open without a session: then the one that
            has been for the longest is told `overloaded`, of the address that has most of them,
            the new one included; where none has more than one, of all.
        handshake_timeout_s: How long one may be, in seconds: then it is told `handshake-timeout`.
        max_first_frame: Longest frame taken before there is a session, in bytes.
        message_rate: How many messages a session may send a second, each KiB that arrives counted
            as one more: who sends more is not read from for a while, ten seconds at most. Ten
            seconds' worth may come at once. 0 for no limit.
        command_rate: How many commands it may give a second, likewise.

    Raises:
        ConfigurationError: One is out of its range.
    """

    max_waiting: int = MAX_PENDING
    max_in_work: int = 1_000
    max_in_work_bytes: int = 2 * 1024 * 1024
    max_arriving: int = 256 * 1024 * 1024
    max_sessions: int = 30_000
    max_sessions_per_address: int = 15_000
    max_unestablished: int = 4_096
    handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S
    max_first_frame: int = MAX_UNESTABLISHED_FRAME
    message_rate: float = 50_000.0
    command_rate: float = 100.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), _LEAST.get(field.name)
            is_enough = value > 0 if least is None else value >= least
            if not is_enough or not math.isfinite(value):
                what = "more than 0" if least is None else f"{least} or more"
                raise ConfigurationError(f"{field.name} is {what}, not {value}")
