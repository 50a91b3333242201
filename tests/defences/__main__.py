"""Take each defence out of a copy of the project, and check that its test fails.

``python -m tests.defences`` reports for each claim whether its test fails without the defence. With
words as arguments, it tries only defences that contain all of them. It ends with status 1 if a test
does not fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import SimpleQueue

from tests.defences import Defence
from tests.defences.claims import DEFENCES

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "_trial_temp*", "bench")
PLUGINS = ("-p", "pytest_twisted", "-p", "pytest_timeout", "-p", "no:cacheprovider")
PYTEST = ("-m", "pytest", "-q", "-x", "--assert=plain", *PLUGINS)
"""The arguments of each test run: it starts twice as fast with no other plugin, and if it does not
rewrite the `assert` statements of all modules of Hypothesis."""
SETTINGS = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
FAILED = 1
"""The exit status of pytest when a test fails."""
DEADLINE_S = 120


def main(words: list[str]) -> int:
    """Try the selected defences, in parallel, one on each processor."""
    asked = [each for each in DEFENCES if all(word in f"{each}" for word in words)]
    copies: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="chatd-defences-") as directory:
        for number in range(os.cpu_count() or 1):
            copy = shutil.copytree(ROOT, Path(directory, str(number)), ignore=LEFT_OUT)
            # Checked by hash, as a file changes and changes back within one second.
            compile_dir(copy, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
            copies.put(Path(copy))

        def try_one(defence: Defence) -> str | None:
            copy = copies.get()
            try:
                return complaint_of(defence, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(copies.qsize()) as pool:
            complaints = list(pool.map(try_one, asked))
    for defence, complaint in zip(asked, complaints, strict=True):
        print(f"{'held ' if complaint is None else 'OPEN '} {defence.claim}")
        if complaint is not None:
            print(f"      {defence.test}: {complaint}")
    print(f"{complaints.count(None)} of {len(asked)} tests fail without their defence")
    return 0 if asked and not any(complaints) else 1


def complaint_of(defence: Defence, copy: Path) -> str | None:
    """Return the reason why a test does not hold its claim, or None if it does."""
    path = copy / defence.path
    text = path.read_text()
    if text.count(defence.before) != 1:
        return f"the defence is {text.count(defence.before)} times in {defence.path}"
    path.write_text(text.replace(defence.before, defence.after))
    try:
        completed = subprocess.run(
            [sys.executable, *PYTEST, defence.test],
            cwd=copy,
            env={**os.environ, **SETTINGS, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {DEADLINE_S} s"
    finally:
        path.write_text(text)
    return None if completed.returncode == FAILED else f"it did not fail: {completed.stdout[-200:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
