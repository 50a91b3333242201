"""The names of the scripts."""

from importlib.resources import files

SCRIPTS = files("chatd.backplane.redis") / "scripts"
"""The directory of the scripts."""
NAMES = sorted(
    path.name.removesuffix(".lua")
    for path in SCRIPTS.iterdir()
    if path.name.endswith(".lua") and not path.name.endswith(".part.lua")
)
"""The names of the scripts."""
