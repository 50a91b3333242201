"""The person's own directories, by the XDG Base Directory Specification 0.8."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["configuration_file", "state_directory"]


def configuration_file(environment: Mapping[str, str]) -> Path:
    """Return the path of the person's `chatd.toml`, by `XDG_CONFIG_HOME`."""
    return _directory(environment, "XDG_CONFIG_HOME", "~/.config") / "chatd.toml"


def state_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of the client's remembered state, by `XDG_STATE_HOME`."""
    return _directory(environment, "XDG_STATE_HOME", "~/.local/state")


def _directory(environment: Mapping[str, str], variable: str, default: str) -> Path:
    path = environment.get(variable, "")
    if not os.path.isabs(path):  # the specification has relative paths ignored
        path = os.path.expanduser(default)
    return Path(path, "chatd")
