"""The server's temporary refusals, and the client's errors for malformed answers."""

from __future__ import annotations

from chatd.errors import ErrorCode, RequestError

__all__ = ["TEMPORARY", "malformed", "no_advance"]

TEMPORARY = frozenset({ErrorCode.NOT_STORED, ErrorCode.INTERNAL_ERROR})
"""Codes of refusals that another session may not meet."""


def malformed(why: str) -> RequestError:
    """Return the error for an answer that makes no sense."""
    return RequestError(ErrorCode.BAD_REQUEST, f"the server's answer is malformed: {why}")


def no_advance() -> RequestError:
    """Return the error for a page of history after which the client gets no further."""
    return malformed("its history does not advance")
