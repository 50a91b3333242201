"""`NotDone`: why a typed line was not carried out."""

from __future__ import annotations

from twisted.internet.defer import Deferred

__all__ = ["NotDone", "cannot_ask"]


class NotDone(Exception):
    """A typed line was not carried out; the text says why, in one line."""


def cannot_ask(prompt: str) -> Deferred[str]:
    """Ask for nothing: there is no terminal.

    Raises:
        NotDone: Always.
    """
    raise NotDone("only a terminal can ask for a password")
