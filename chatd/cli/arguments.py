"""The arguments of typed commands: each mistake is one line for the person."""

from __future__ import annotations

from collections.abc import Callable

from chatd.cli.notdone import NotDone
from chatd.errors import RequestError

__all__ = ["checked"]


def checked(check: Callable[[str], str], name: str) -> str:
    """Return a typed name, checked by one of the functions of `chatd.chat.names`.

    Raises:
        NotDone: The name is not allowed.
    """
    try:
        return check(name)
    except RequestError as error:
        raise NotDone(error.message) from error
