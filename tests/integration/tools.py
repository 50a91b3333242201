"""Programs of other projects, with which tests check the pages."""

from __future__ import annotations

import os
import shutil

import pytest

_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


def tool(name: str) -> str:
    """Return the path of a program; without it, skip the test, or fail if CI requires it."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:{_SYSTEM}")
    if path is None:
        reason = f"needs the program {name}: .ci/tools installs it on Debian"
        if os.environ.get("CHATD_TOOLS") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def tool_of_root(name: str) -> str:
    """Return the path of a program that only root can use; skip the test for other users."""
    if os.getuid() != 0:
        pytest.skip(f"only root can run {name}")
    return tool(name)
