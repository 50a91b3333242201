"""A reader who follows a page, and compares the terminal with the page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sysconfig
from contextlib import ExitStack
from pathlib import Path

from tests.docs.pages import ROOT, Step
from tests.integration.processes import DEADLINE_S, Output, Process
from tests.integration.terminals import TerminalProcess

# What is another each time: the time of day, ids, and Unix seconds.
_CHANGING = re.compile(
    r"\b\d\d:\d\d\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4}\b|\d+\.\d+"
)
_PORT = re.compile(r"tcp:(?:localhost:)?9999(?::interface=localhost)?")
_IS_TALK = re.compile(r"chatd connect [^|<]*$")
_IS_SERVICE = re.compile(r"twistd (?:--\S+ )*-n|python examples/bot.py")


class Reader:
    """Does the steps of a page, in a directory of its own.

    Every daemon listens on a UNIX socket instead of the port that the page says, so that no port
    need be free.

    Args:
        directory: Where the commands are given; its path must be short enough for a socket.
        replaced: Other words of the page, each with what is put in its place.
    """

    def __init__(self, directory: Path, replaced: dict[str, str] | None = None) -> None:
        self._directory = directory
        self._replaced = replaced or {}
        self._endpoint = f"unix:{directory}/9999"
        self._status = 0
        self._services: list[Process] = []
        self._terminal: TerminalProcess | None = None
        self._stack = ExitStack()
        (directory / "examples").symlink_to(ROOT / "examples")
        self._environment = {
            "ENDPOINT": self._endpoint,
            "HOME": str(directory),
            "XDG_CONFIG_HOME": "",
            "XDG_STATE_HOME": "",
            "NO_COLOR": "1",
            "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        left = self._directory / "chatd.pid"  # of a daemon in the background that did not stop
        if left.exists():
            os.kill(int(left.read_text()), signal.SIGKILL)
        self._stack.close()

    def do(self, step: Step) -> None:
        """Do a step, and compare the terminal with the page."""
        command = self.here(step.command)
        if command == "^C":
            self._interrupt()
        elif _IS_SERVICE.match(command):
            self._serve(command)
        elif _IS_TALK.match(command):
            self._talk(command)
            self._see(step)
        elif command:
            self._run(command, step)
        else:
            if step.typed:
                self._terminal_there.type(f"{step.typed}\r")
            self._see(step)

    @property
    def _terminal_there(self) -> TerminalProcess:
        assert self._terminal is not None, "the page types to a client that is not there"
        return self._terminal

    def here(self, command: str) -> str:
        """Return a command with endpoints and paths of this test."""
        for word, other in self._replaced.items():
            command = command.replace(word, other)
        return _PORT.sub(self._endpoint, command)

    def _serve(self, command: str) -> None:
        process = self._stack.enter_context(
            Process("bash", "-c", f"exec {command}", cwd=self._directory, env=self._all())
        )
        self._services.append(process)
        if "bot" in command:  # it is the server that tells of it
            self._services[0].output.wait_for(r"bot: established")
        else:
            process.output.wait_for(r"listening on")

    def _talk(self, command: str) -> None:
        self._terminal = self._stack.enter_context(
            TerminalProcess(
                "bash", "-c", f"cd {self._directory} && exec {command}", **self._environment
            )
        )
        self._terminal.wait_for_prompt()

    def _see(self, step: Step) -> None:
        for line in step.shown:
            self._terminal_there.screen.wait_for(_pattern(line))

    def _interrupt(self) -> None:
        service = self._services.pop()
        service.send_signal(signal.SIGINT)
        service.wait()

    def _run(self, command: str, step: Step) -> None:
        """Run a command to its end, and to that of all it leaves in the background."""
        running, running_end = os.pipe()
        left = Output(running)
        try:
            done = subprocess.run(
                ["bash", "-ec" if command.endswith("\n") else "-c", self._after_last(command)],
                cwd=self._directory,
                env=self._all(),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                pass_fds=[running_end],
                timeout=DEADLINE_S,
                check=False,
            )
        finally:
            os.close(running_end)
        left.wait_for_end()
        self._status = done.returncode
        if command.endswith("\n"):
            assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"
            return
        # Two streams have no order between them; each has its own.
        complaints = [line for line in step.shown if line.startswith("chatd: ")]
        shown = [line for line in step.shown if line not in complaints]
        assert _alike(done.stdout.splitlines()) == _alike(shown), f"{command}: {done.stderr}"
        assert done.stderr.splitlines() == complaints, command

    def _after_last(self, command: str) -> str:
        """Return the command with the status of the last command for `$?`, as in a shell."""
        return f"(exit {self._status})\n{command}" if "$?" in command else command

    def _all(self) -> dict[str, str]:
        return {**os.environ, **self._environment}


def _alike(lines: list[str]) -> list[str]:
    return [_CHANGING.sub("…", line) for line in lines]


def _pattern(line: str) -> str:
    """Return a pattern that finds a line with any time."""
    return re.sub(r"^\d\d:\d\d", r"\\d\\d:\\d\\d", re.escape(line))
