"""A terminal for tests: it takes keys, and returns the text of its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from tests.integration.processes import DEADLINE_S, Output, script

ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_Z = "\x1a"
HOME = "\x01"
TAB = "\t"
UP = "\x1b[A"

_ROWS, _COLUMNS = 24, 100
# Without a status line, and so without a need to know the cursor's position; REPORTING asks for it.
_ENVIRONMENT = {
    "TERM": "xterm",
    "COLORTERM": "",
    "NO_COLOR": "",
    "PROMPT_TOOLKIT_NO_CPR": "1",
}
REPORTING = {"PROMPT_TOOLKIT_NO_CPR": ""}
"""Makes the client ask for the cursor's position, and show the status line."""
_WHERE, _THERE = b"\x1b[6n", b"\x1b[1;1R"
# The first terminal that a session leader opens becomes its own, and sends it signals.
_AT = 'exec <"$0" >"$0" 2>&1; exec "$@"'
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Screen(Output):
    """The output to a terminal, without cursor movements and colours.

    It reports the cursor's position to a command that asks for it, and never moves it.
    """

    def __init__(self, descriptor: int) -> None:
        self._unanswered = b""
        self._closing, self._close = os.pipe()
        super().__init__(descriptor)

    def close(self) -> None:
        """Stop reading."""
        os.write(self._close, b".")
        self.wait_for_end()

    def wait_for_raw(self, pattern: str) -> None:
        """Wait until a regular expression matches the raw output."""
        with self._grown:
            is_there = self._grown.wait_for(lambda: re.search(pattern, self.raw_text), DEADLINE_S)
        assert is_there, f"{pattern!r} was not written, but: {self.raw_text!r}"

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.raw_text)

    @property
    def raw_text(self) -> str:
        """The raw output so far."""
        return super().text

    def _read_some(self) -> bytes:
        readable, _, _ = select.select([self._descriptor, self._closing], [], [])
        if self._closing in readable:
            return b""
        data = super()._read_some()
        *questions, self._unanswered = (self._unanswered + data).split(_WHERE)
        os.write(self._descriptor, _THERE * len(questions))
        self._unanswered = self._unanswered[1 - len(_WHERE) :]
        return data

    def _read(self) -> None:
        super()._read()
        os.close(self._closing)
        os.close(self._close)


class TerminalProcess:
    """A command at its own terminal, which is ended with the context.

    Args:
        name: The command's name.
        arguments: Its arguments.
        environment: Environment variables to add to those of this process.

    Attributes:
        screen: The terminal's screen.
    """

    def __init__(self, name: str, *arguments: str, **environment: str) -> None:
        self._keyboard, terminal = pty.openpty()
        try:
            size = struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
            self._process = subprocess.Popen(
                ["sh", "-c", _AT, os.ttyname(terminal), script(name), *arguments],
                stdin=subprocess.DEVNULL,
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

    def send_signal(self, number: int) -> None:
        """Send the command a signal from outside the terminal."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal."""
        self.screen.close()
        keyboard, self._keyboard = self._keyboard, os.open(os.devnull, os.O_RDONLY)
        os.close(keyboard)

    @property
    def is_as_usual(self) -> bool:
        """Whether the terminal echoes typed keys, and passes them on by the line."""
        usual = termios.ECHO | termios.ICANON | termios.ISIG
        return termios.tcgetattr(self._keyboard)[3] & usual == usual

    def wait_for_prompt(self) -> None:
        """Wait until the command reads each key itself."""
        deadline = time.monotonic() + DEADLINE_S
        while self.is_as_usual:  # only the terminal's state shows that
            assert time.monotonic() < deadline, self.screen.text
            os.sched_yield()

    def wait(self) -> int:
        """Wait until the command ends, and return its status."""
        return self._process.wait(DEADLINE_S)


PROMPT = "(?m)^>"


def alice_at(endpoint, *options, **environment):
    """Run the client as alice, within a context."""
    return TerminalProcess("chatd", "connect", endpoint, "--name", "alice", *options, **environment)
