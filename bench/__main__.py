"""``python -m bench``: measure chatd and its peers side by side.

`bench.measures` has the measures, the peers and the targets of chatd. A peer that is not installed
is reported as missing; the other peers are measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bench.figures import Effort, Figures
from bench.measures import MEASURES
from bench.peers import PEERS, missing_peers
from bench.report import as_json, machine, table, verdicts

QUICK = Effort(
    rounds=1,
    seconds=0.02,
    round_trips=20,
    sessions=20,
    crowd=100,
    idle_sessions=100,
    idle_s=2.0,
    heartbeat_s=0.5,
    large=3,
    soak_s=4.0,
    storm=100,
    hostile=120,
    hostile_hold_s=1.0,
    past=32,
)
"""Enough to check that everything works; the figures mean nothing."""
MAX_SECONDS = 60.0
"""Limit on the length of one run, in seconds."""
MIN_SOAK_S = 3.0
"""Length of the shortest soak, in seconds: it includes a restart of the daemon."""
MAX_SOAK_S = 7 * 86_400.0
"""Length of the longest soak, in seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write the requested files.

    Returns:
        0, even if a target is not reached.
    """
    options = _parse(arguments)
    effort = QUICK if options.quick else Effort(rounds=options.rounds, seconds=options.seconds)
    if options.soak_seconds is not None:
        effort = replace(effort, soak_s=options.soak_seconds)
    missing = missing_peers(options.peers)
    for name in missing:
        print(f"{PEERS[name].label} is missing: it is not installed here")
    results: dict[str, Figures] = {}
    notes: list[str] = []
    for name in options.measures:
        measure = MEASURES[name]
        peers = [
            PEERS[peer] for peer in measure.peers if peer in options.peers and peer not in missing
        ]
        print(f"\n{measure.title} ({measure.unit})", flush=True)
        if not peers:
            print("  none of the chosen peers takes part in this and is installed")
            continue
        results[name] = measure.take(peers, effort, notes.append)
        print(table(results[name]), end="")
        for verdict in verdicts(measure, results[name]):
            print(verdict)
    for note in dict.fromkeys(notes):
        print(f"note: {note}")
    print(f"\n{machine()}")
    if options.json is not None:
        options.json.write_text(as_json(results, missing))
    if options.plots is not None:
        from bench.plots import draw  # only this module needs matplotlib

        draw(results, options.plots)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure chatd and its peers side by side."
    )
    parser.add_argument(
        "measures",
        nargs="*",
        metavar="MEASURE",
        help=f"the measures to take; all by default: {', '.join(MEASURES)}",
    )
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        default=list(PEERS),
        help=f"the peers to measure, separated by commas; all by default: {','.join(PEERS)}",
    )
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="number of rounds")
    parser.add_argument(
        "--seconds", type=float, default=Effort.seconds, help="approximate length of one run"
    )
    parser.add_argument(
        "--soak-seconds",
        type=float,
        metavar="SECONDS",
        help=f"length of a soak; {Effort.soak_s:g} by default",
    )
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--plots", type=Path, help="draw plots into this directory")
    parser.add_argument(
        "--quick", action="store_true", help="only check that it works; the figures mean nothing"
    )
    options = parser.parse_args(arguments)
    options.measures = options.measures or list(MEASURES)
    for what, given, known in (
        ("measure", options.measures, MEASURES),
        ("peer", options.peers, PEERS),
    ):
        for name in given:
            if name not in known:
                parser.error(f"there is no {what} {name!r}; there are {', '.join(known)}")
    if options.rounds < 1:
        parser.error("--rounds: at least one round is needed")
    if not 0 < options.seconds <= MAX_SECONDS:
        parser.error(f"--seconds: a run takes more than 0 and up to {MAX_SECONDS:g} seconds")
    soak_s = options.soak_seconds
    if soak_s is not None and not MIN_SOAK_S <= soak_s <= MAX_SOAK_S:
        parser.error(f"--soak-seconds: a soak takes {MIN_SOAK_S:g} to {MAX_SOAK_S:g} seconds")
    if options.plots is not None and find_spec("matplotlib") is None:
        parser.error("--plots needs matplotlib: install chatd with its extra, bench")
    try:  # report a file that cannot be written before measuring, not after
        if options.json is not None:
            options.json.open("a").close()
        if options.plots is not None:
            options.plots.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{error.filename} cannot be written: {error.strerror}")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
