"""nginx with a configuration of a page, on a socket that is open already."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.processes import Process, run_command
from tests.integration.tools import tool


@contextmanager
def running_nginx(
    directory: Path, before: str, text: str, front: socket.socket
) -> Iterator[Process]:
    """Run nginx.

    Args:
        directory: The directory for its files.
        before: Directives that come first, such as `load_module`.
        text: The configuration, which listens on the address of `front`.
        front: The listening socket.
    """
    program = tool("nginx")
    around = (
        f"{before}daemon off;\npid {directory}/nginx.pid;\nerror_log stderr info;\nevents {{}}\n"
    )
    config = directory / "nginx.conf"
    config.write_text(around + text)
    command = (program, "-e", "stderr", "-p", str(directory), "-c", str(config))
    checked = run_command(*command, "-t")
    assert checked.returncode == 0, checked.stderr
    # nginx takes the socket over as if from a former nginx.
    environment = {**os.environ, "NGINX": f"{front.fileno()};"}
    with Process(*command, env=environment, pass_fds=[front.fileno()]) as process:
        try:
            yield process
        finally:  # ends its workers too
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0, process.errors.text
