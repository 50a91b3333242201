"""Programs in a mount namespace of their own."""

import subprocess

import pytest

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
"""What runs a shell that may mount what it likes, seen by itself and its children alone."""


def mounting(script_, data, *program):
    """Return a program that is run when a shell has mounted something for it alone."""
    try:
        completed = subprocess.run(
            [*OWN_MOUNTS, script_, data], capture_output=True, check=False, timeout=20
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if completed.returncode:
        pytest.skip("nothing may be mounted here")
    return (*OWN_MOUNTS, f'{script_} && exec "$@"', str(data), *program)
