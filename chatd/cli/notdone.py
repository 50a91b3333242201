"""`NotDone`: why a typed line was not carried out."""

from __future__ import annotations

__all__ = ["NotDone"]


class NotDone(Exception):
    """A typed line was not carried out; the text says why, in one line."""
