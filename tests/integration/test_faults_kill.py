"""A kill of the server at any of many steps keeps delivered messages, once and in order."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
POINTS = 40
DEADLINE_S = 100


def test_kill_at_steps():
    """At lines of chatd and at instructions of SQLite, from the opening to the close.

    No delivered message is lost, nothing is half stored, and messages that are sent again with the
    same ids are there once.
    """
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.integration.kill", "--points", str(POINTS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    for line in completed.stdout.splitlines():
        assert "killed at" in line
    assert len(completed.stdout.splitlines()) == 2
