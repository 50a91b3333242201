"""Fuzzers of the wire and of the session, and the inputs that they keep.

`targets`, `sealers` and `connections` are functions of bytes that check chatd's results against
`book`. `test_corpus` replays `corpus/` through them with the other tests. ``python -m tests.fuzz``
looks for new inputs, which needs ``atheris``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

__all__ = ["CORPUS", "MAX_INPUT", "TARGETS", "load"]

CORPUS = Path(__file__).parent / "corpus"
"""The kept inputs: a directory for each target."""
MAX_INPUT = 2_000
"""Longest input, in bytes."""

TARGETS = {
    "frames": "targets",
    "envelope": "targets",
    "runs": "sealers",
    "header": "targets",
    "channel": "targets",
    "server": "connections",
    "client": "connections",
}
"""The targets, with the modules of their functions."""


def load(name: str) -> Callable[[bytes], None]:
    """Return a target.

    This imports the target's module only now, so that a fuzzer can instrument chatd first.
    """
    target: Callable[[bytes], None] = getattr(import_module(f"{__name__}.{TARGETS[name]}"), name)
    return target
