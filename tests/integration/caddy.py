"""Caddy with a configuration of a page."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.processes import Process
from tests.integration.tools import tool

OPTIONS = """{
    admin off
    auto_https disable_redirects
    servers {
        protocols h1 h2
    }
}
"""
"""It listens nowhere but at the address of the site."""


@contextmanager
def running_caddy(directory: Path, text: str) -> Iterator[Process]:
    """Run Caddy; return when it listens.

    Args:
        directory: The directory for its files.
        text: The configuration of a site.
    """
    program = tool("caddy")
    config = directory / "Caddyfile"
    config.write_text(OPTIONS + text)
    places = {name: str(directory) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    command = (program, "run", "--adapter", "caddyfile", "--config", str(config))
    with Process(*command, env={**os.environ, **places}) as process:
        process.errors.wait_for("serving initial configuration")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0, process.errors.text
