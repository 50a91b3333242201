"""Checks of the arguments that programs give: a wrong type is told at once, in one line."""

from __future__ import annotations

__all__ = ["check_names", "check_type", "wrong_type"]


def check_type(argument: str, given: object, types: type | tuple[type, ...], wanted: str) -> None:
    """Check the type of an argument.

    Args:
        argument: The name of the argument, for the error.
        given: The argument.
        types: The types that it may have.
        wanted: These types in words, for the error.

    Raises:
        TypeError: The argument has another type.
    """
    if not isinstance(given, types):
        raise wrong_type(argument, given, wanted)


def check_names(argument: str, given: object) -> None:
    """Check that an argument is not a string, which is a collection of strings too.

    Raises:
        TypeError: The argument is a string.
    """
    if isinstance(given, str | bytes):
        raise wrong_type(argument, given, 'a list of names, such as ["lobby"]')


def wrong_type(argument: str, given: object, wanted: str) -> TypeError:
    """Return the error for an argument of a wrong type; see `check_type`."""
    kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    return TypeError(f"{argument} must be {wanted}, not {kind}")
