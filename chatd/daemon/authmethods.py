"""`check_method`: checks the value of `--auth`, as Twisted's errors explain little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.strcred import findCheckerFactories
from twisted.python import usage

from chatd.config.ownfile import read_regular_file, why
from chatd.daemon.values import shown

__all__ = ["check_method", "fault_of_name", "wrong_method"]


def check_method(description: str, is_supported: Callable[[Any], bool]) -> None:
    """Check a method of `--auth`; plugins check the arguments of their own methods.

    Args:
        description: The method, and its argument after a colon.
        is_supported: Returns whether chatd can use a plugin's checkers.

    Raises:
        UsageError: There is no such method, or its argument is wrong.
    """
    method, _, argument = description.partition(":")
    fault = fault_of_name(method, is_supported) or _fault_of_argument(method, argument)
    if fault:
        raise wrong_method(description, fault)


def wrong_method(description: str, fault: str) -> usage.UsageError:
    """Return the error for a method, without the passwords in it."""
    method, _, argument = description.partition(":")
    name, _, password = argument.partition(":")
    if password and method != "file":
        description = f"{method}:{name}:…"
    return usage.UsageError(f"--auth {shown(description)}: {fault}")


def fault_of_name(method: str, is_supported: Callable[[Any], bool]) -> str:
    """Return why a name is not a method; empty if it is the name of a method.

    Args:
        method: The name.
        is_supported: See `check_method`.
    """
    names = sorted(each.authType for each in findCheckerFactories() if is_supported(each))
    return (
        "" if method in names else f"{method!r} is not a method; the methods are {', '.join(names)}"
    )


def _fault_of_argument(method: str, argument: str) -> str:
    if method == "memory" and len(argument.split(":")) % 2:
        return "it takes names and passwords in pairs, as in memory:alice:secret"
    if method in ("anonymous", "unix") and argument:
        return f"it takes nothing after {method}"
    return _fault_of_file(argument) if method == "file" else ""


def _fault_of_file(path: str) -> str:
    if not path.strip():
        return "it takes the path of a file, as in file:/etc/chatd/passwords"
    try:
        read_regular_file(path, 0)
    except OSError as error:
        return why(error)
    return ""
