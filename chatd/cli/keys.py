"""The keys of the interactive client."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus, is_searching
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.search import stop_search
from prompt_toolkit.utils import is_dumb_terminal

from chatd.cli.pasting import PasteFinder, escape_paste

__all__ = ["Interrupted", "KeyActions", "PasteFindingInput", "key_bindings"]

_at_line = has_focus(DEFAULT_BUFFER)
_is_dumb = Condition(is_dumb_terminal)
_MAX_READ = 1_000_000
"""Number of waiting keys at which reading stops, and the keys are used."""


class Interrupted(Exception):
    """Ctrl+C was typed; a KeyboardInterrupt would stop asyncio's loop."""


class KeyActions(Protocol):
    """The actions of keys that do more than edit the line."""

    def is_command(self, name: str) -> bool:
        """Return whether a command has this name."""

    def line_cleared(self) -> None:
        """Note that a key has cleared the line."""

    def cancelled(self) -> None:
        """Note that Ctrl+C has cancelled something."""

    def may_leave(self) -> bool:
        """Return whether Ctrl+C at an empty line leaves."""

    def screen_cleared(self) -> None:
        """Note that a key has cleared the screen."""

    def pasted(self, text: str) -> None:
        """Note a pasted text."""

    def suspend(self) -> None:
        """Suspend the client."""

    def rewrite_line(self) -> None:
        """Write the line again, if the terminal cannot redraw it."""

    def complete(self, before: str, step: int) -> str:
        """Return the text that completes the text before the cursor; a negative step goes back."""

    def go_to(self, number: int | None) -> None:
        """Go to the place with a number; to the next one with unread messages if None."""


def key_bindings(actions: KeyActions) -> KeyBindings:
    """Return the bindings of the keys."""
    bindings = KeyBindings()

    def clear_line(line: Buffer) -> None:
        line.reset(append_to_history=True)  # Up brings the line back
        actions.line_cleared()
        actions.rewrite_line()

    # Eager, because prompt_toolkit's own bindings come last on a dumb terminal. The line is not
    # typed at while the person searches for an earlier line.
    @bindings.add("c-c", eager=True, filter=_at_line)
    def interrupt(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            clear_line(event.current_buffer)
            actions.cancelled()
        elif actions.may_leave():
            event.app.exit(exception=Interrupted())

    # All of a message of several lines, where prompt_toolkit clears one.
    @bindings.add("c-u", eager=True, filter=_at_line)
    def discard(event: KeyPressEvent) -> None:
        text = event.current_buffer.text
        if text:
            event.app.clipboard.set_text(text)  # for Ctrl+Y
            clear_line(event.current_buffer)

    @bindings.add("c-c", eager=True, filter=is_searching)
    def stop_searching(event: KeyPressEvent) -> None:
        stop_search()
        actions.cancelled()

    @bindings.add("c-l", eager=True, filter=~_is_dumb)
    def clear_screen(event: KeyPressEvent) -> None:
        event.app.renderer.clear()
        actions.screen_cleared()

    @bindings.add("c-z", eager=True)
    def suspend(event: KeyPressEvent) -> None:
        actions.suspend()

    @bindings.add("escape", "enter")
    def start_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add(Keys.BracketedPaste, eager=True, filter=_at_line)
    def paste(event: KeyPressEvent) -> None:
        before = event.current_buffer.document.text_before_cursor
        text = escape_paste(event.data, at_start=not before, is_command=actions.is_command)
        actions.pasted(text)
        after = event.current_buffer.document.text_after_cursor
        _replace(event.current_buffer, before + text, after)
        actions.rewrite_line()

    _add_history(bindings, actions)
    _add_completion(bindings, actions)
    _add_places(bindings, actions)
    return bindings


def _add_history(bindings: KeyBindings, actions: KeyActions) -> None:
    """Write the lines that the Up and Down keys bring back, where prompt_toolkit does not."""

    @bindings.add("up", eager=True, filter=_is_dumb)
    def earlier(event: KeyPressEvent) -> None:
        event.current_buffer.auto_up()
        actions.rewrite_line()

    @bindings.add("down", eager=True, filter=_is_dumb)
    def later(event: KeyPressEvent) -> None:
        event.current_buffer.auto_down()
        actions.rewrite_line()


def _add_completion(bindings: KeyBindings, actions: KeyActions) -> None:
    for key, step in (("tab", 1), ("s-tab", -1)):

        @bindings.add(key, eager=True, filter=_at_line)
        def complete(event: KeyPressEvent, step: int = step) -> None:
            buffer = event.current_buffer
            before = buffer.document.text_before_cursor
            completed = actions.complete(before, step)
            if completed != before:
                after = buffer.document.text_after_cursor
                if completed.endswith(" "):  # one space between the words
                    after = after.removeprefix(" ")
                _replace(buffer, completed, after)
                actions.rewrite_line()


def _add_places(bindings: KeyBindings, actions: KeyActions) -> None:
    # Eager, because Alt and a digit begins the count of a command in prompt_toolkit.
    for digit in "1234567890":

        @bindings.add("escape", digit, eager=True)
        def go_to(event: KeyPressEvent, number: int = int(digit) or 10) -> None:
            actions.go_to(number)

    @bindings.add("escape", "a", eager=True)
    def go_to_unread(event: KeyPressEvent) -> None:
        actions.go_to(None)


def _replace(buffer: Buffer, before: str, after: str) -> None:
    """Replace the text before and after the cursor."""
    buffer.save_to_undo_stack()
    buffer.document = Document(before + after, len(before))


class PasteFindingInput(Input):
    """An input that finds pasted lines on terminals without bracketed paste.

    Args:
        keys: The input that reads the keys.
    """

    def __init__(self, keys: Input) -> None:
        self._keys = keys
        self._finder = PasteFinder()

    def read_keys(self) -> list[KeyPress]:
        """Read all keys that are waiting; a paste is one key."""
        presses = self._keys.read_keys()
        while 1 < len(presses) < _MAX_READ and self._is_more_waiting():
            presses += self._keys.read_keys()
        return self._finder.find(presses, _paste)

    def _is_more_waiting(self) -> bool:
        return not self.closed and bool(select.select([self.fileno()], [], [], 0)[0])

    # As the other input does it

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._keys.fileno()

    def typeahead_hash(self) -> str:
        """Return the place of keys that were typed too early."""
        return self._keys.typeahead_hash()

    def flush_keys(self) -> list[KeyPress]:
        """Return the keys that wait for the rest of a sequence."""
        return self._keys.flush_keys()

    @property
    def closed(self) -> bool:
        """Whether the input is at its end."""
        return self._keys.closed

    def raw_mode(self) -> AbstractContextManager[None]:
        """Return a context in which each key is read at once."""
        return self._keys.raw_mode()

    def cooked_mode(self) -> AbstractContextManager[None]:
        """Return a context in which the terminal edits lines."""
        return self._keys.cooked_mode()

    def attach(self, input_ready_callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Return a context in which a callback is called when keys wait."""
        return self._keys.attach(input_ready_callback)

    def detach(self) -> AbstractContextManager[None]:
        """Return a context in which no callback is called."""
        return self._keys.detach()


def _paste(text: str) -> KeyPress:
    return KeyPress(Keys.BracketedPaste, text)
