"""What a measure is, and what must be reached in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Effort, Figures, Note
from bench.peers import Peer

__all__ = ["Measure", "Target"]


@dataclass(frozen=True)
class Target:
    """What chatd must reach.

    Attributes:
        quantity: Which figures are compared.
        of: The peer that must reach it.
        beside: The peers whose best figure it is compared with; none for a plain bound.
        ratio: The ratio that must be reached, or the bound.
        is_most: Whether the ratio may be no more than that; else no less.
    """

    quantity: str
    of: str
    beside: tuple[str, ...]
    ratio: float
    is_most: bool = False

    def reached(self, figures: Figures) -> float | None:
        """Return the ratio, or None where a figure is missing."""
        quantity = figures.get(self.quantity, {})
        if self.of not in quantity:
            return None
        mine = median(quantity[self.of])
        if not self.beside:
            return mine
        others = [median(quantity[name]) for name in self.beside if name in quantity]
        best = min(others, default=0.0) if self.is_most else max(others, default=0.0)
        return mine / best if best else None

    def is_met(self, figures: Figures) -> bool | None:
        """Say whether it is reached; None where a figure is missing."""
        reached = self.reached(figures)
        if reached is None:
            return None
        return reached <= self.ratio if self.is_most else reached >= self.ratio


@dataclass(frozen=True)
class Measure:
    """Something that is measured.

    Attributes:
        name: What the command line calls it.
        title: What a table calls it.
        unit: The unit of its figures.
        peers: Whose figures are taken.
        take: Takes them.
        targets: What must be reached.
    """

    name: str
    title: str
    unit: str
    peers: tuple[str, ...]
    take: Callable[[Sequence[Peer], Effort, Note], Figures]
    targets: tuple[Target, ...] = ()
