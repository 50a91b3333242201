"""``python .ci/bench_report.py REPORT PLOTS``: see that a benchmark's report is whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.measures import MEASURES

report, plots = map(Path, sys.argv[1:])
measures = json.loads(report.read_text())["measures"]
if list(measures) != list(MEASURES):
    sys.exit(f"the report has other measures: {list(measures)}")
for name, measure in MEASURES.items():
    measured = {peer for by_peer in measures[name]["figures"].values() for peer in by_peer}
    lacking = {"chatd", "floor"} & set(measure.peers) - measured
    if lacking:
        sys.exit(f"{name} was not measured of {', '.join(sorted(lacking))}")
for plot in ("fan-out-light.svg", "growth-dark.svg"):
    if not (plots / plot).stat().st_size:
        sys.exit(f"{plot} is empty")
print(f"the report has all {len(MEASURES)} measures")
