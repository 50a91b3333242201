"""`Window`: what a conversation can do with the terminal, and without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from chatd.cli.notdone import NotDone

__all__ = ["Window"]


def _cannot_ask(prompt: str) -> Deferred[str]:
    raise NotDone("only a terminal can ask for a password")


def _cannot_clear() -> None:
    raise NotDone("this terminal cannot be cleared")


def _draw_nothing() -> None:
    pass


def _hold_nothing(why: str) -> None:
    pass


@dataclass(slots=True, kw_only=True)
class Window:
    """What a conversation can do with the terminal; without one, it can do nothing.

    Attributes:
        redraw: Called when what the window tells has changed.
        ask_unseen: Asks for a line without echo; see `chatd.cli.unseen.UnseenPrompt.ask`.
        hold: Keeps the line that the person is typing now from being sent; gets the reason.
        clear: Clears the screen; raises `NotDone` if the terminal cannot do that.
    """

    redraw: Callable[[], None] = _draw_nothing
    ask_unseen: Callable[[str], Deferred[str]] = _cannot_ask
    hold: Callable[[str], None] = _hold_nothing
    clear: Callable[[], None] = _cannot_clear
