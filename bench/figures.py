"""The effort of a measurement, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.peers import Peer

__all__ = ["Effort", "Figures", "Note", "add"]

Figures = dict[str, dict[str, list[float]]]
"""By measured quantity and peer: a figure for each round."""
Note = Callable[[str], None]
"""Takes a remark about the figures."""


@dataclass(frozen=True)
class Effort:
    """The effort of a measurement.

    Attributes:
        rounds: The number of rounds.
        seconds: The approximate length of one run of one peer, in seconds.
        round_trips: The number of round trips in one run.
        sessions: The number of sessions that log in and are then idle.
        crowd: The number of members of the largest room.
        idle_sessions: The number of sessions with heartbeats.
        idle_s: The time for which these are watched, in seconds.
        heartbeat_s: Their heartbeat, in seconds.
        large: The number of large messages in one run.
        soak_s: The time for which sessions come and go, in seconds.
        storm: The number of clients that connect at once.
        hostile: The number of hostile connections.
        hostile_hold_s: The time that each of them stays unless the server ends it, in seconds.
        past: The number of messages in a room with a member that does not read.
    """

    rounds: int = 5
    seconds: float = 1.0
    round_trips: int = 2_000
    sessions: int = 1_000
    crowd: int = 1_000
    idle_sessions: int = 10_000
    idle_s: float = 20.0
    heartbeat_s: float = 5.0
    large: int = 100
    soak_s: float = 180.0
    storm: int = 3_000
    hostile: int = 10_000
    hostile_hold_s: float = 20.0
    past: int = 1_600


def add(figures: Figures, quantity: str, peer: Peer, figure: float) -> None:
    """Add the figure of a round."""
    figures.setdefault(quantity, {}).setdefault(peer.name, []).append(figure)
