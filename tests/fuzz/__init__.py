"""Fuzzers of the wire and of the session: what they try, and what they found worth keeping.

`targets` and `connections` say what must hold, as functions of bytes, compared with `book`.
`test_corpus` replays `corpus/` through them with the other tests. ``python -m tests.fuzz`` looks
for new inputs, which needs ``atheris``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

__all__ = ["CORPUS", "MAX_INPUT", "TARGETS", "load"]

CORPUS = Path(__file__).parent / "corpus"
"""The inputs that are kept: a directory for each target."""
MAX_INPUT = 2_000
"""Longest input, in bytes."""

TARGETS = {
    "frames": "targets",
    "envelope": "targets",
    "header": "targets",
    "channel": "targets",
    "server": "connections",
    "client": "connections",
}
"""The targets, and the modules that they are functions of."""


def load(name: str) -> Callable[[bytes], None]:
    """Return a target.

    Its module is imported only now, so that a fuzzer can see to it that chatd is instrumented.
    """
    target: Callable[[bytes], None] = getattr(import_module(f"{__name__}.{TARGETS[name]}"), name)
    return target
