"""The limits for a peer until its session is established."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HANDSHAKE_TIMEOUT_S", "MAX_UNESTABLISHED_FRAME", "HandshakeLimits"]

HANDSHAKE_TIMEOUT_S = 10.0
"""Maximum time until a session is established, in seconds."""
MAX_UNESTABLISHED_FRAME = 8 * 1024
"""Longest frame accepted before the session is established, in bytes."""


@dataclass(frozen=True, slots=True)
class HandshakeLimits:
    """The limits for a peer until the session is established.

    Attributes:
        timeout_s: Maximum time until the session is established, in seconds.
        max_frame: Longest frame accepted before that, in bytes.
    """

    timeout_s: float = HANDSHAKE_TIMEOUT_S
    max_frame: int = MAX_UNESTABLISHED_FRAME
