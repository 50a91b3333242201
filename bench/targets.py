"""`Measure` and `Target`: a measurement, and the figures that chatd must reach in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Effort, Figures, Note
from bench.peers import Peer

__all__ = ["Measure", "Target"]


@dataclass(frozen=True)
class Target:
    """A figure that chatd must reach.

    Attributes:
        quantity: The quantity whose figures are compared.
        of: The peer that must reach the target.
        beside: The peers whose best figure is the reference; none for an absolute bound.
        ratio: The ratio to the reference, or the absolute bound.
        is_most: Whether `ratio` is an upper bound; otherwise it is a lower bound.
    """

    quantity: str
    of: str
    beside: tuple[str, ...]
    ratio: float
    is_most: bool = False

    def reached(self, figures: Figures) -> float | None:
        """Return the ratio, or None if a figure is missing."""
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
        """Return whether the target is reached, or None if a figure is missing."""
        reached = self.reached(figures)
        if reached is None:
            return None
        return reached <= self.ratio if self.is_most else reached >= self.ratio


@dataclass(frozen=True)
class Measure:
    """A measurement.

    Attributes:
        name: The name on the command line.
        title: The title of its table.
        unit: The unit of its figures.
        peers: The peers that take part.
        take: Takes the figures.
        targets: The targets of chatd.
    """

    name: str
    title: str
    unit: str
    peers: tuple[str, ...]
    take: Callable[[Sequence[Peer], Effort, Note], Figures]
    targets: tuple[Target, ...] = ()
