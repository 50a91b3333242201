"""The line at which a person types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import (
    Application,
    get_app_or_none,
    get_app_session,
    run_in_terminal,
)
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.utils import is_dumb_terminal

from chatd.cli.asking import ask
from chatd.cli.completion import TabKey, Words
from chatd.cli.dumblines import DumbLines, TypedLine
from chatd.cli.interrupting import Interrupting
from chatd.cli.keys import Interrupted, PasteFindingInput, key_bindings
from chatd.cli.notdone import NotDone

__all__ = ["Interrupted", "LinePrompt"]


class LinePrompt:
    """The line at which a person types.

    Args:
        ask: Returns the text before the line.
        status: Returns the status line for a width in columns.
        words: Returns the words that complete a line.
        is_command: Returns whether a command has this name.
        go_to: Goes to the place with a number, or to the next one with unread messages.
        interrupting: Decides whether Ctrl+C leaves.
        stop: Suspends the client, and returns when it goes on.
        screen_cleared: Called when the screen was cleared.

    Attributes:
        held: Why the line that was read last must not be carried out; empty if it may be.
    """

    def __init__(
        self,
        ask: Callable[[], str],
        *,
        status: Callable[[int], str],
        words: Callable[[], Words],
        is_command: Callable[[str], bool],
        go_to: Callable[[int | None], None],
        interrupting: Interrupting,
        stop: Callable[[], None],
        screen_cleared: Callable[[], None],
    ) -> None:
        self.is_command = is_command
        self._ask = ask
        self._words = words
        self._go_to = go_to
        self._interrupting = interrupting
        self._stop = stop
        self.screen_cleared = screen_cleared
        self._pasted = ""
        self.held = ""
        self._tab = TabKey()
        self._session: PromptSession[str] = PromptSession(
            erase_when_done=True,
            key_bindings=key_bindings(self),
            bottom_toolbar=lambda: self._choices() or status(self._size.columns),
            input=PasteFindingInput(get_app_session().input),
        )
        self._session.default_buffer.on_text_changed += self._line_changed
        self._dumb_lines = DumbLines(
            self._write, self._typed, lambda call: asyncio.get_running_loop().call_soon(call)
        )

    @property
    def columns(self) -> int | None:
        """The width of the terminal, in columns; None for a dumb terminal, which has none."""
        return None if is_dumb_terminal() else self._size.columns

    @property
    def _size(self) -> Size:
        return self._session.output.get_size()

    async def read_line(self) -> str:
        """Return the next line; it has several lines if it was pasted or typed with Alt+Enter.

        Raises:
            EOFError: The person pressed Ctrl+D, or `close` was called.
            Interrupted: The person pressed Ctrl+C at an empty line.
            twisted.internet.defer.CancelledError: The caller was cancelled.
        """
        self._pasted = self.held = ""
        line = await ask(self._session, self._ask)
        self._interrupting.forget()
        return line

    def is_pasted(self, line: str) -> bool:
        """Return whether the line that was read last is a paste, as it was."""
        return bool(self._pasted) and line == self._pasted

    def pasted(self, text: str) -> None:
        """Note a pasted text."""
        self._pasted = text

    def hold(self, why: str) -> None:
        """Keep the line that is being typed from being carried out, until it is cleared."""
        if _running_app() is not None and self._session.default_buffer.text:
            self.held = why

    def _line_changed(self, line: Buffer) -> None:
        if not line.text:
            self.held = ""

    def line_cleared(self) -> None:
        """Let the next line be carried out: `Buffer.reset` does not tell that the text changed."""
        self.held = ""

    def cancelled(self) -> None:
        """Note that Ctrl+C has cancelled something."""
        self._interrupting.cancelled()

    def may_leave(self) -> bool:
        """Return whether Ctrl+C at an empty line leaves."""
        return self._interrupting.may_leave()

    def close(self) -> None:
        """Let `read_line` raise EOFError, if it waits for a line."""
        app = _running_app()
        if app is not None:
            app.exit(exception=EOFError())

    def redraw(self) -> None:
        """Show the status line as it is now."""
        self._session.app.invalidate()

    def print(self, line: str) -> None:
        """Show a line above the typed line, or before it on a dumb terminal."""
        if is_dumb_terminal():
            self._dumb_lines.show(line)
        else:
            print(line)

    def flush(self) -> None:
        """Show the lines that wait at a dumb terminal."""
        self._dumb_lines.flush()

    def clear(self) -> None:
        """Clear the screen.

        Raises:
            NotDone: A dumb terminal cannot do that.
        """
        if is_dumb_terminal():
            raise NotDone("this terminal cannot be cleared")
        output = self._session.output
        output.erase_screen()
        output.cursor_goto(0, 0)
        output.flush()
        self.screen_cleared()

    def complete(self, before: str, step: int) -> str:
        """Complete the text before the cursor."""
        width = self._size.columns
        was_listed = self._tab.list(before, width) is not None
        completed = self._tab.press(before, self._words(), step=step)
        choices = self._tab.list(completed, width)
        if is_dumb_terminal() and choices is not None and not was_listed:
            self._dumb_lines.show(choices)
        return completed

    def _choices(self) -> str | None:
        before = self._session.default_buffer.document.text_before_cursor
        return self._tab.list(before, self._size.columns)

    def go_to(self, number: int | None) -> None:
        """Go to another place."""
        self._go_to(number)
        self.rewrite_line()

    def suspend(self) -> None:
        """Suspend the client as Ctrl+Z does elsewhere, and show the line when it resumes."""

        def stop() -> None:
            self._stop()
            self.rewrite_line(before="")

        run_in_terminal(stop)

    def rewrite_line(self, before: str = "\r\n") -> None:
        """Write the line again on a terminal that prompt_toolkit does not redraw."""
        if is_dumb_terminal():
            typed = self._session.default_buffer.text.replace("\n", "\r\n")
            self._write(f"{before}{self._ask()}{typed}")

    def _typed(self) -> TypedLine | None:
        if _running_app() is None:
            return None
        return TypedLine(self._ask(), self._session.default_buffer.text)

    def _write(self, text: str) -> None:
        self._session.output.write(text)
        self._session.output.flush()


def _running_app() -> Application[Any] | None:
    """Return the app that reads keys; a dumb terminal has its own, and between two lines is none.

    An app that is done cannot exit again.
    """
    app = get_app_or_none()
    return app if app is not None and app.is_running and not app.is_done else None
