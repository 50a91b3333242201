"""The figures, as a table, as verdicts and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median

from bench.figures import Figures
from bench.measures import MEASURES, Measure
from bench.peers import PEERS

__all__ = ["as_json", "machine", "table", "verdicts"]


def table(figures: Figures) -> str:
    """Return a table of medians, with the lowest and the highest figure of all rounds."""
    rows = [
        (
            quantity,
            PEERS[peer].label,
            _short(median(values)),
            _short(min(values)),
            _short(max(values)),
        )
        for quantity, by_peer in figures.items()
        for peer, values in by_peer.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}"
        f"  ({row[3]} to {row[4]})\n"
        for row in rows
    )


def verdicts(measure: Measure, figures: Figures) -> Iterator[str]:
    """Return a line for each target that tells whether it is reached."""
    for target in measure.targets:
        reached = target.reached(figures)
        if reached is None:
            continue
        others = _best_of(target.beside)
        sign = "≤" if target.is_most else "≥"
        word = "reached" if target.is_met(figures) else "NOT reached"
        yield (
            f"  {target.quantity}: {PEERS[target.of].label} {reached:.2f}{others}, "
            f"asked for {sign} {target.ratio:g}: {word}"
        )


def as_json(results: Mapping[str, Figures], missing: Iterable[str]) -> str:
    """Return every figure of every round, and a description of the machine, as JSON."""
    measured = {peer for figures in results.values() for by in figures.values() for peer in by}
    return json.dumps(
        {
            "machine": machine(),
            "versions": {name: PEERS[name].version() for name in sorted(measured)},
            "missing": sorted(missing),
            "measures": {
                name: {
                    "title": MEASURES[name].title,
                    "unit": MEASURES[name].unit,
                    "figures": figures,
                    "targets": [
                        {
                            "quantity": target.quantity,
                            "of": target.of,
                            "beside": target.beside,
                            "asked": target.ratio,
                            "at_most": target.is_most,
                            "reached": target.reached(figures),
                            "met": target.is_met(figures),
                        }
                        for target in MEASURES[name].targets
                    ],
                }
                for name, figures in results.items()
            },
        },
        indent=1,
        ensure_ascii=False,
    )


def machine() -> str:
    """Return a description of this machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _best_of(beside: tuple[str, ...]) -> str:
    if not beside:
        return ""
    names = [PEERS[name].label for name in beside]
    return f" × {names[0]}" if len(names) == 1 else f" × the best of {', '.join(names)}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
