"""`Limits`: the limits for each peer, and for all peers together."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from chatd.arguments import check_number
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S, MAX_UNESTABLISHED_FRAME
from chatd.errors import ConfigurationError
from chatd.transport.protocol import MAX_PENDING

__all__ = ["MIN_FIRST_FRAME", "Limits"]

MIN_FIRST_FRAME = 512
"""Smallest `max_first_frame`, in bytes: the frames before a session need this much."""
_LEAST = {"message_rate": 0, "command_rate": 0, "max_first_frame": MIN_FIRST_FRAME}
"""The least values of some limits; the other limits are more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a server for its peers.

    Attributes:
        max_waiting: How many bytes may wait for a peer that does not read; one message may wait on
            top. Beyond that, the peer gets `slow-consumer` and is cut off.
        max_in_work: How many messages of a peer may wait for their answers; then reading from the
            peer pauses.
        max_in_work_bytes: How many bytes may wait with them: the content of the messages, and the
            replies of a service behind them. One message may wait on top.
        max_arriving: How many bytes may have arrived from all peers together that cannot be acted
            on yet: incomplete frames, frames over the rates, and those that wait for other peers'
            turn. Beyond that, peers that hold at least the average get `overloaded`, oldest
            incomplete frame first.
        max_sessions: How many sessions there may be; further clients get `too-many-sessions`.
        max_sessions_per_address: How many sessions an address may have. An IPv6 address counts as
            its first 64 bits; all loopback addresses count as one; on a UNIX socket, each user of
            the machine counts as an address.
        max_unestablished: How many connections may wait for a session. For each further connection,
            the oldest of the address that has most of them gets `overloaded`; the new connection
            counts for its address. If each address has only one connection, the oldest of all gets
            it. Beside them, as many refused connections may still be open, to read why.
        handshake_timeout_s: How long a connection may have no session, in seconds; then it gets
            `handshake-timeout`.
        max_first_frame: Longest frame before the session, in bytes.
        message_rate: How many messages a second a session may send; each KiB that arrives counts
            as one more. Beyond that, reading from the client pauses for up to 10 seconds. A burst
            may hold ten seconds' worth. 0 for no limit.
        command_rate: How many commands a second a session may give, likewise.

    Raises:
        ConfigurationError: A limit is out of its range.
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
            check_number(field.name, value)
            is_enough = value > 0 if least is None else value >= least
            if not is_enough or not math.isfinite(value):
                what = "more than 0" if least is None else f"{least} or more"
                raise ConfigurationError(f"{field.name} must be {what}, not {value}")
