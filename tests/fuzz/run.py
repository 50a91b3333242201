"""``python -m tests.fuzz.run TARGET [libFuzzer's arguments]``: fuzz one target with atheris."""

from __future__ import annotations

import shlex
import sys

import atheris

from tests.fuzz import load

if __name__ == "__main__":
    with atheris.instrument_imports(include=["chatd.wire", "chatd.connection"]):
        target = load(sys.argv[1])
    # A merge starts this program again, by its first argument and in a shell.
    command = shlex.join([sys.executable, "-m", "tests.fuzz.run", sys.argv[1]])
    atheris.Setup([command, *sys.argv[2:]], target)
    atheris.Fuzz()
