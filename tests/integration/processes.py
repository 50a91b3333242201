"""Daemons and commands as processes, and waiting for their output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

DEADLINE_S = 20
"""Limit on every wait, in seconds."""


def script(name: str) -> str:
    """Return the path of a command that is installed with chatd, or its bare name."""
    path = Path(sysconfig.get_path("scripts")) / name
    return str(path) if path.exists() else name


def run_command(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its input and output are text."""
    name, *rest = arguments
    return subprocess.run(
        [script(str(name)), *rest],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=DEADLINE_S,
        check=False,
        **options,
    )


class Output:
    """The output on a descriptor, kept as it comes, so that a test can wait for a text in it.

    Args:
        descriptor: The descriptor to read from; closed at its end.

    Attributes:
        is_at_end: Whether all writers have closed it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""
        self.is_at_end = False
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """The output so far."""
        return self._data.decode("utf-8", "replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a match of a regular expression, and return the match."""
        with self._grown:
            self._grown.wait_for(
                lambda: self.is_at_end or re.search(pattern, self.text), DEADLINE_S
            )
        match = re.search(pattern, self.text)
        assert match is not None, f"{pattern!r} was not written, but: {self.text}"
        return match

    def wait_for_end(self) -> str:
        """Wait until all writers have closed it, and return the whole output."""
        self._reader.join(DEADLINE_S)
        assert self.is_at_end, f"no end, but: {self.text}"
        return self.text

    def _read_some(self) -> bytes:
        return os.read(self._descriptor, 65536)

    def _read(self) -> None:
        is_at_end = False
        while not is_at_end:
            try:
                data = self._read_some()
            except OSError:  # a terminal that no process has open any more
                data = b""
            is_at_end = not data
            if is_at_end:
                os.close(self._descriptor)
            with self._grown:
                self._data += data
                self.is_at_end = is_at_end
                self._grown.notify_all()


class Process:
    """A command that runs beside the test, and is ended with the context.

    Args:
        arguments: The command's name and its arguments.
        options: Passed on to `subprocess.Popen`.

    Attributes:
        output: Its standard output.
        errors: Its standard error.
    """

    def __init__(self, *arguments: str | Path, **options) -> None:
        name, *rest = arguments
        output, output_end = os.pipe()
        errors, errors_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [script(str(name)), *rest],
                stdin=subprocess.PIPE,
                stdout=output_end,
                stderr=errors_end,
                **options,
            )
        finally:
            os.close(output_end)
            os.close(errors_end)
        self.output = Output(output)
        self.errors = Output(errors)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close_input()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.output.wait_for_end()
        self.errors.wait_for_end()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def write(self, data: bytes) -> None:
        """Write to the command's standard input."""
        standard_input: Any = self._process.stdin
        standard_input.write(data)
        standard_input.flush()

    def close_input(self) -> None:
        """Close the command's standard input."""
        self._process.stdin.close()

    def send_signal(self, number: int) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until the command ends, and return its status."""
        return self._process.wait(DEADLINE_S)


FOREGROUND = ("twistd", "-n", "--pidfile=")


@contextmanager
def daemon(
    *options: str | Path, endpoint: str, program: tuple[str, ...] = FOREGROUND
) -> Iterator[Process]:
    """Run the daemon in the foreground; return when it listens, also for browsers."""
    words = ["--endpoint", endpoint, *map(str, options)]
    with Process(*program, "chatd", *words) as process:
        for option, value in pairwise(words):
            if option in ("--endpoint", "--web"):
                process.output.wait_for(rf"(?m)listening on {re.escape(value)}(?= |$)")
        yield process


class Daemonized:
    """A daemon that has left its terminal; the context's end kills it if it still runs.

    Args:
        directory: The directory for its files.
        options: The options of `twistd chatd`.
        program: The options of `twistd` before them.
        before: A command that runs `twistd`, with its arguments.

    Attributes:
        pid_file: The file with its process id while it runs.
        log_file: Its log.
    """

    def __init__(
        self,
        directory: Path,
        *options: str | Path,
        program: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
    ) -> None:
        self.pid_file = directory / "chatd.pid"
        self.log_file = directory / "chatd.log"
        # Nobody writes to this pipe; that the daemon holds it open shows that it runs.
        running, running_end = os.pipe()
        try:
            files = (f"--pidfile={self.pid_file}", f"--logfile={self.log_file}")
            twistd = (*before, script("twistd"), *files, *program)
            self.started = run_command(
                *twistd, "chatd", *options, pass_fds=[running_end], cwd=directory
            )
        finally:
            os.close(running_end)
        self._running = Output(running)
        self._pid = int(self.pid_file.read_text()) if self.pid_file.exists() else None

    def __enter__(self) -> Daemonized:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._running.is_at_end and self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
        self.wait()

    @property
    def log(self) -> str:
        """The daemon's log."""
        return self.log_file.read_text()

    def terminate(self) -> None:
        """Ask the daemon to stop."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the daemon ends."""
        self._running.wait_for_end()
