"""A conversation at a terminal in memory: typed keys, and shown lines."""

import asyncio
import io
import re
import signal
import sys
from contextlib import nullcontext

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import to_plain_text
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.utils import is_dumb_terminal
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli import terminal
from chatd.cli.login import Login
from chatd.cli.terminal import Terminal
from tests.cli.wiring import ENDPOINT, CommandReactor

CTRL_R = "\x12"
DOWN = "\x1b[B"
ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_L = "\x0c"
CTRL_U = "\x15"
CTRL_Y = "\x19"
CTRL_Z = "\x1a"
ALT_ENTER = "\x1b\r"
HOME = "\x01"
LEFT = "\x1b[D"
SHIFT_TAB = "\x1b[Z"
TAB = "\t"
UP = "\x1b[A"
_PATIENCE_S = 20
_TIME = re.compile(r"\A\d\d:\d\d ")
_UNTIMED = re.compile(r"-- \w+, \d\d \w+ \d{4} --|--- .* ---")


def alt(key):
    """Return the bytes of Alt and a key."""
    return f"\x1b{key}"


class Sized(DummyOutput):
    """An output to a terminal of a certain width, in columns."""

    columns = 1_000
    is_cleared = False

    def __init__(self):
        self.written = []

    def write(self, data):
        if is_dumb_terminal():
            print(data, end="")
            self.written.append(data)

    def erase_screen(self):
        self.is_cleared = True

    def get_size(self):
        return Size(rows=24, columns=self.columns)


class Conversation:
    """A person at a terminal, and the server of the conversation.

    Attributes:
        done: Fires with the exit status.
    """

    def __init__(self, reactor, keyboard, screen, output, **options):
        self.reactor = reactor
        self.terminal = Terminal(reactor, ENDPOINT, Login(**{"name": "alice", **options}))
        self._keyboard = keyboard
        self._screen = screen
        self._output = output
        self.done = Deferred.fromCoroutine(self.terminal.run())

    @property
    def screen(self):
        """The shown lines as they are."""
        return self._screen.getvalue()

    @property
    def lines(self):
        """The shown lines without dates and rules, and without their times, which must be there."""
        lines = self._screen.getvalue().splitlines()
        if is_dumb_terminal():  # typed lines stand between them
            lines = filter(_TIME.match, lines)
        return [_TIME.split(line)[1] for line in lines if not _UNTIMED.search(line)]

    @property
    def prompt(self):
        """The prompt."""
        return self.terminal._ask()

    @property
    def typed(self):
        """The typed line."""
        return self.terminal._prompt._session.default_buffer.text

    @property
    def is_searching(self):
        """Whether the person searches for an earlier line."""
        return self.terminal._prompt._session.app.layout.is_searching

    @property
    def is_cleared(self):
        """Whether the screen was cleared."""
        return self._output.is_cleared

    @property
    def toolbar(self):
        """The line below the typed line."""
        return to_plain_text(self.terminal._prompt._session.bottom_toolbar)

    def resize(self, columns):
        """Give the terminal another width."""
        self._output.columns = columns

    def write_prompt_to(self, written):
        """Let the prompt write to a list too."""
        self._output.written = written

    def type(self, keys):
        """Press keys."""
        self._keyboard.send_text(keys)

    async def until(self, is_so):
        """Let both sides run until a condition holds; the server's time stands still."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_S
        while not is_so():
            assert loop.time() < deadline, self.screen
            self.reactor.settle()
            await asyncio.sleep(0)

    async def shown(self, line):
        """Wait for a shown line."""
        await self.until(lambda: line in self.lines)

    async def status(self):
        """Wait until the conversation is over, and return its status, or raise its error."""
        await self.until(lambda: self.done.called)
        return await self.done.asFuture(asyncio.get_running_loop())


class TerminalCase(SynchronousTestCase):
    """Runs a conversation on an asyncio loop."""

    def setUp(self):
        self.reactor = CommandReactor()
        self.screen = io.StringIO()
        self.patch(sys, "stdout", self.screen)
        self.patch(terminal, "patch_stdout", lambda raw: nullcontext())
        self.patch(terminal, "RETRY_POLICY", lambda attempt: 2.0)
        # Both asyncio and a running reactor set a wakeup descriptor for signals.
        self.addCleanup(signal.set_wakeup_fd, signal.set_wakeup_fd(-1))

    def converse(self, script, **options):
        """Run a script of typed keys and expected lines, and return the command's status."""

        async def run():
            output = Sized()
            with (
                create_pipe_input() as keyboard,
                create_app_session(input=keyboard, output=output),
            ):
                conversation = Conversation(self.reactor, keyboard, self.screen, output, **options)
                await script(conversation)
                return await conversation.status()

        return asyncio.run(run())

    def clear_screen(self):
        """Forget the shown lines."""
        self.screen.seek(0)
        self.screen.truncate()

    def sessions(self):
        """Return the server's sessions by name."""
        return {session.name: session for session in self.reactor.server.sessions.values()}
