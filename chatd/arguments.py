"""Checks of the arguments that programs give: a wrong type raises an error of one line at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

__all__ = [
    "check_initialised",
    "check_names",
    "check_number",
    "check_numbers_or_none",
    "check_reactor",
    "check_texts",
    "check_texts_or_none",
    "check_type",
    "wrong_type",
]


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


def check_initialised(made: object, last: str, arguments: str) -> None:
    """Check that an object of a program's subclass was initialised by chatd's own `__init__` too.

    Args:
        made: The object.
        last: The attribute that chatd's `__init__` sets last.
        arguments: The arguments of that `__init__`, for the error.

    Raises:
        TypeError: It was not.
    """
    if not hasattr(made, last):
        name = type(made).__qualname__
        raise TypeError(f"{name}.__init__ must call super().__init__({arguments})")


def check_reactor(argument: str, given: object, wanted: str = "a reactor") -> None:
    """Check that an argument is a reactor, or a clock for tests.

    Raises:
        TypeError: It is something else.
    """
    if not callable(getattr(given, "callLater", None)):
        if hasattr(given, "__aenter__"):
            wanted = "the reactor of `async with chatd.asyncio_reactor() as reactor`"
        raise wrong_type(argument, given, wanted)


def check_names(argument: str, given: object) -> None:
    """Check that an argument is a collection of strings, and not a string itself; None is allowed.

    Raises:
        TypeError: The argument is something else.
    """
    if given is None:
        return
    wanted = 'a list of names, such as ["lobby"]'
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise wrong_type(argument, given, wanted)
    if isinstance(given, Collection):  # another iterable can be read only once
        for name in given:
            if not isinstance(name, str):
                raise wrong_type(f"each of {argument}", name, "text")


def check_number(argument: str, given: object) -> None:
    """Check that an argument is a number.

    Raises:
        TypeError: The argument is something else.
    """
    check_type(argument, given, (int, float), "a number")


def check_texts(**given: object) -> None:
    """Check that each of some arguments is text; see `check_type`."""
    for argument, value in given.items():
        check_type(argument, value, str, "text")


def check_texts_or_none(**given: object) -> None:
    """Check that each of some arguments is text or None; see `check_type`."""
    for argument, value in given.items():
        check_type(argument, value, (str, type(None)), "text")


def check_numbers_or_none(**given: object) -> None:
    """Check that each of some arguments is a number or None; see `check_type`."""
    for argument, value in given.items():
        check_type(argument, value, (int, float, type(None)), "a number")


def wrong_type(argument: str, given: object, wanted: str) -> TypeError:
    """Return the error for an argument of a wrong type; see `check_type`."""
    kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    return TypeError(f"{argument} must be {wanted}, not {kind}")
