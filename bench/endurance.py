"""Endurance measures: hours of use, a storm of logins, attacks, and members that do not read."""

from __future__ import annotations

from bench.hostile import hostile
from bench.soak import soak
from bench.stalled import stalled
from bench.storm import storm
from bench.targets import Measure, Target

__all__ = ["ENDURANCE"]


def _no_more(peer: str, **bounds: float) -> tuple[Target, ...]:
    """Return targets with an upper bound."""
    return tuple(
        Target(quantity.replace("_", " "), peer, (), bound, is_most=True)
        for quantity, bound in bounds.items()
    )


ENDURANCE = (
    Measure(
        "soak",
        "sessions that come and go, and a daemon that starts again",
        "number, MiB",
        ("chatd-sqlite",),
        soak,
        _no_more(
            "chatd-sqlite",
            missing=0,
            duplicates=0,
            misplaced=0,
            growth=16,
            descriptors_left=0,
            timers_left=0,
            sessions_left=0,
            protocols_left=0,
            rooms_left=0,
            tracebacks=0,
        ),
    ),
    Measure(
        "storm",
        "everyone at once",
        "s, number",
        ("chatd",),
        storm,
        _no_more("chatd", welcomed=10, refused=0),
    ),
    Measure(
        "hostile",
        "hostile connections, beside a conversation",
        "MiB, ms, number",
        ("chatd", "chatd-clear"),
        hostile,
        tuple(
            target
            for peer in ("chatd", "chatd-clear")
            for target in (
                Target("still serves", peer, (), 1),
                *_no_more(peer, growth=48, tracebacks=0, descriptors_left=0, messages_lost=0),
            )
        ),
    ),
    Measure(
        "stalled",
        "past a member that does not read",
        "ms, MiB",
        ("chatd",),
        stalled,
        (
            Target("p99 / without it", "chatd", (), 2.0, is_most=True),
            Target("growth", "chatd", (), 64.0, is_most=True),
        ),
    ),
)
"""The endurance measures, for chatd only."""
