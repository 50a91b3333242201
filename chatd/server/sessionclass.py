"""The class of sessions that a subclass of a generic factory names."""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_origin

__all__ = ["named_session_class"]


def named_session_class(factory: type, generic: type) -> type[Any] | None:
    """Return the class that a factory's base names in brackets, as in `ChatFactory[YourSession]`.

    Args:
        factory: The class of the factory.
        generic: The generic class of factories.

    Returns:
        The class; None if no base names a class, or if it names a type variable.

    Raises:
        TypeError: A base names something else, of which no session can be made.
    """
    named: type[Any] | None = None
    for base in vars(factory).get("__orig_bases__", ()):
        origin, given = get_origin(base), get_args(base)
        if not isinstance(origin, type) or not issubclass(origin, generic):
            continue
        if len(given) == 1 and isinstance(given[0], type):
            named = given[0]
        elif not any(isinstance(each, TypeVar) for each in given):
            raise TypeError(f"{factory.__name__} must set session_class: its base is {base}")
    return named
