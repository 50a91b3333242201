"""A terminal for the tests of what is used at one: keys go in, and a screen's text comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from tests.integration.processes import DEADLINE_S, Output, script

ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"

_ROWS, _COLUMNS = 24, 100
# This terminal does not tell where its cursor is, nor is it asked.
_ENVIRONMENT = {
    "TERM": "xterm",
    "COLORTERM": "",
    "NO_COLOR": "",
    "PROMPT_TOOLKIT_NO_CPR": "1",
}
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Screen(Output):
    """What is written to a terminal, without what only moves its cursor or sets its colours."""

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.raw_text)

    @property
    def raw_text(self) -> str:
        """All that was written, as it was."""
        return super().text


class TerminalProcess:
    """A command at a terminal, which is ended with the context.

    Args:
        name: The command's name.
        arguments: Its arguments.
        environment: What it finds in its environment, besides what this process does.

    Attributes:
        screen: What it shows.
    """

    def __init__(self, name: str, *arguments: str, **environment: str) -> None:
        self._keyboard, terminal = pty.openpty()
        try:
            size = struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
            self._process = subprocess.Popen(
                [script(name), *arguments],
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
                env={**os.environ, **_ENVIRONMENT, **environment},
            )
        finally:
            os.close(terminal)
        self.screen = Screen(os.dup(self._keyboard))

    def __enter__(self) -> TerminalProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.screen.wait_for_end()
        os.close(self._keyboard)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keyboard, keys.encode())

    def wait(self) -> int:
        """Wait until the command ends, and return its status."""
        return self._process.wait(DEADLINE_S)
