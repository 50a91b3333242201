"""How much is measured, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.peers import Peer

__all__ = ["Effort", "Figures", "Note", "add"]

Figures = dict[str, dict[str, list[float]]]
"""By measured quantity and peer: a figure for each round."""
Note = Callable[[str], None]
"""Takes what is to be said beside the figures."""


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        rounds: How many rounds.
        seconds: How long one run of one peer is to take, about.
        round_trips: How many of them in one run.
        sessions: How many log in, and are then idle.
        crowd: The largest room.
        idle_sessions: How many have heartbeats.
        idle_s: For how long these are watched, in seconds.
        heartbeat_s: Their heartbeat, in seconds.
        large: How many large messages in one run.
        soak_s: For how long sessions come and go, in seconds.
        storm: How many connect at once.
        hostile: How many connections mean harm.
        hostile_hold_s: How long each of them stays if it is let, in seconds.
        past: How many messages are said past a member that does not read.
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
