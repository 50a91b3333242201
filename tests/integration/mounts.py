"""Programs in their own mount namespace."""

import subprocess

import pytest

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
"""Runs a shell that may mount anything; only it and its children see the mounts."""


def mounting(script_, data, *program):
    """Return a command that runs a program after a shell has mounted something for it."""
    try:
        completed = subprocess.run(
            [*OWN_MOUNTS, script_, data], capture_output=True, check=False, timeout=20
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if completed.returncode:
        pytest.skip("nothing may be mounted here")
    return (*OWN_MOUNTS, f'{script_} && exec "$@"', str(data), *program)
