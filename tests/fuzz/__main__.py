"""``python -m tests.fuzz [TARGET...]``: look for inputs that make a target fail.

Each target runs in its own process, from the kept corpus, for a bounded time. An input that makes a
target fail goes into a new directory, whose path is shown; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import NoReturn

from tests.fuzz import CORPUS, MAX_INPUT, TARGETS

ROOT = Path(__file__).parents[2]
"""The directory of the package `tests`."""
HANG_S = 20
"""Longest time of an input, in seconds; libFuzzer reports a longer one as hanging."""
GRACE_S = 120
"""Time in seconds that a process may take beyond its limit before it is killed."""
MAX_MEMORY_MB = 1_000
"""Largest memory of a process; libFuzzer reports a larger one."""
SHOWN_LINES = 30
"""Number of lines of a failed process that are shown."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {unknown[0]}; there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        print("tests.fuzz: it needs atheris: pip install atheris", file=sys.stderr)
        return 2
    failed = [
        name
        for name in options.targets or TARGETS
        if not fuzz(name, seconds=options.seconds, keeps=options.keep)
    ]
    return 1 if failed else 0


def fuzz(name: str, *, seconds: int, keeps: bool) -> bool:
    """Fuzz one target.

    Args:
        name: The target.
        seconds: The time, in seconds.
        keeps: Whether to keep inputs that reach a new branch.

    Returns:
        Whether all checks succeeded.
    """
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    faulty = Path(mkdtemp(prefix=f"fuzz-{name}-"))
    with TemporaryDirectory(prefix="fuzz-") as found:
        time_limit = f"-max_total_time={seconds}"
        status, said = _run(name, faulty, seconds, time_limit, found, str(kept))
        if status == 0 and keeps:
            status, merged = _run(
                name, faulty, seconds, "-merge=1", "-use_counters=0", str(kept), found
            )
            said += merged
    if status != 0:
        print(*said.splitlines()[-SHOWN_LINES:], sep="\n")
        print(f"{name}: failed; the input is in {faulty}")
        return False
    faulty.rmdir()
    executed = _last(r"number_of_executed_units: (\d+)", said)
    reached = _last(r"cov: (\d+)", said)
    print(
        f"{name}: {executed} inputs, {reached} branches, {len(list(kept.iterdir()))} kept",
        flush=True,
    )
    return True


def _run(name: str, faulty: Path, seconds: int, *arguments: str) -> tuple[int, str]:
    """Run a target's process; return its status and its output."""
    command = [
        *(sys.executable, "-m", "tests.fuzz.run", name),
        f"-max_len={MAX_INPUT}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-artifact_prefix={faulty}/",
        "-print_final_stats=1",
        *arguments,
    ]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            timeout=seconds + GRACE_S,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        return 1, f"it did not end in {error.timeout:g} seconds"
    return done.returncode, done.stdout


def _last(pattern: str, said: str) -> str:
    found = re.findall(pattern, said)
    return found[-1] if found else "?"


def _seconds(text: str) -> int:
    """Read a number of seconds; libFuzzer takes 0 for no limit."""
    seconds = int(text)
    if seconds < 1:
        raise ValueError(text)
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=5, metavar="N", help="for each target; 5 by default"
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the inputs that reach a branch that no kept one does",
    )
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print the error in one line, and exit."""
        self.exit(2, f"{self.prog}: {message.replace('_seconds', 'whole number of seconds')}\n")


if __name__ == "__main__":
    sys.exit(main())
