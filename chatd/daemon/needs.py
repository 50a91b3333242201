"""Options that have no effect without another option: without it, they are an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from twisted.python import usage

from chatd.listening.endpoints import takes_socket_mode

__all__ = ["NEEDS", "check_needs"]


class _Need(NamedTuple):
    """An option, and the options of which it needs one.

    Attributes:
        option: The option.
        key: The name of its value; no value, or an empty one, means that it is not given.
        any_of: The names of the values of which one must be given.
        wanted: The options that give these values, in words.
    """

    option: str
    key: str
    any_of: tuple[str, ...]
    wanted: str


NEEDS = (
    _Need("web-origin", "web-origins", ("web",), "--web ENDPOINT"),
    _Need("web-proxy", "web-proxies", ("web",), "--web ENDPOINT"),
    _Need(
        "backplane-password-file",
        "backplane-password-file",
        ("backplane",),
        "--backplane URL",
    ),
    _Need("backplane-patience", "backplane-patience", ("backplane",), "--backplane URL"),
    _Need("durability", "durability", ("data", "backplane"), "--data DIR or --backplane URL"),
    _Need(
        "login-rate",
        "login-rate",
        ("password-file", "credCheckers"),
        "--password-file FILE or --auth METHOD",
    ),
)
"""Options that need another; `--socket-mode` needs an endpoint, see `check_needs`."""


def check_needs(options: Mapping[str, Any]) -> None:
    """Refuse each given option that has no effect.

    Args:
        options: The values of the options, by their names.

    Raises:
        UsageError: An option lacks another.
    """
    for need in NEEDS:
        is_given = options[need.key] not in (None, [])
        if is_given and not any(options.get(key) for key in need.any_of):
            raise usage.UsageError(f"--{need.option} needs {need.wanted}")
    endpoints = (*options["endpoints"], *options["web"])
    if options["socket-mode"] is not None and not any(map(takes_socket_mode, endpoints)):
        raise usage.UsageError("--socket-mode needs an endpoint unix:PATH without mode=")
