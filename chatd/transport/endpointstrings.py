"""The arguments of endpoint strings: their names and their values.

Twisted's parsers convert the arguments without a check, and raise the errors of Python's own
functions. Kinds of endpoints that are not in these tables are plugins' and are left to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from OpenSSL import SSL

from chatd.transport.endpoints import MAX_PORT, check_socket_path

__all__ = ["CLIENT_KINDS", "SERVER_KINDS", "Kind", "example_of", "mode_of", "read_arguments"]

_MAX_INT = 2**31 - 1
"""The largest number that listen(2) takes."""
_MODES = range(0o1000)
_ANY_WRITE = 0o222
_DOMAINS = ("UNIX", "INET", "INET6")

_WORD = re.compile(r":((?:\\.|[^\\:])*)", re.DOTALL)
_NAMED = re.compile(r"((?:\\.|[^\\=])*)=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_OF_COLONS = r"; write a colon within an argument as \:, as in \:\:1"
_DIGITS = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server endpoints.

    Attributes:
        example: A string of this kind, for errors.
        arguments: The names of its arguments, in order of position, as in Twisted's parser.
        needs: The arguments that a string must have.
        checks: The checks of arguments that take something else in other kinds.
    """

    example: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...] = ()
    checks: Mapping[str, Callable[[str], None]] = field(default_factory=dict)


def read_arguments(description: str, kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Return the arguments of an endpoint string by their names, without backslashes.

    Args:
        description: The string, whose kind is one of `kinds`.
        kinds: `SERVER_KINDS` or `CLIENT_KINDS`.

    Raises:
        ValueError: An argument is wrong; the text names it and says what it takes.
    """
    name, _, _ = description.partition(":")
    kind = kinds[name]
    arguments = _given(kind, description.removeprefix(name))
    for argument, value in arguments.items():
        check = kind.checks.get(argument) or _CHECKS.get(argument)
        if check is not None:
            check(value)
    for argument in kind.needs:
        if argument not in arguments:
            raise ValueError(f"it has no {argument}=")
    if name == "systemd" and ("index" in arguments) == ("name" in arguments):
        raise ValueError("it takes index= or name=, one of the two")
    return arguments


def example_of(description: str, kinds: Mapping[str, Kind]) -> str:
    """Return an example of an endpoint string: of its own kind, or of the usual kinds.

    Args:
        description: The faulty string.
        kinds: `SERVER_KINDS` or `CLIENT_KINDS`.
    """
    kind = kinds.get(description.partition(":")[0].lower())
    return f"{kinds['tcp'].example} or {kinds['unix'].example}" if kind is None else kind.example


def mode_of(text: str) -> int:
    """Return the mode of a socket that somebody can connect to: that takes the right to write.

    Raises:
        ValueError: The text is not such a mode in octal digits.
    """
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if mode not in _MODES:
        raise ValueError("it takes an octal mode such as 660")
    if not mode & _ANY_WRITE:
        raise ValueError(
            "nobody could connect, because that takes the right to write; it takes a mode such as "
            "660"
        )
    return mode


def _given(kind: Kind, rest: str) -> dict[str, str]:
    """Return the arguments in the rest of a string, after its kind, with unchecked values."""
    words = _words_of(rest)
    hint = _OF_COLONS if "::" in rest else ""
    arguments: dict[str, str] = {}
    names = iter(kind.arguments)
    for word in words:
        named = _NAMED.fullmatch(word)
        argument = _ESCAPED.sub(r"\1", named[1]) if named else next(names, None)
        if argument is None:
            raise ValueError(f"it takes {_listed(kind)}, and has {len(words)} arguments{hint}")
        if argument not in kind.arguments:
            raise ValueError(f"it takes no {argument}=, only {_listed(kind)}")
        if argument in arguments:
            raise ValueError(f"{argument}= is given twice{hint}")
        arguments[argument] = _ESCAPED.sub(r"\1", named[2] if named else word)
    return arguments


def _words_of(rest: str) -> list[str]:
    """Return the words after the kind, with their backslashes; an empty last word is none."""
    if rest in ("", ":"):
        return []
    words = _WORD.findall(rest)
    if len(rest) != sum(map(len, words)) + len(words):
        raise ValueError("a backslash at its end escapes nothing")
    return words


def _listed(kind: Kind) -> str:
    names = [f"{argument}=" for argument in kind.arguments]
    return ", ".join(names) or "no arguments"


def _number(argument: str, least: int, most: int) -> Callable[[str], None]:
    """Return a check of a whole number."""

    def check(text: str) -> None:
        if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"{argument}={text}: it takes a number from {least} to {most}")

    return check


def _check_mode(text: str) -> None:
    try:
        mode_of(text)
    except ValueError as error:
        raise ValueError(f"mode={text}: {error}") from None


def _path(argument: str, what: str) -> Callable[[str], None]:
    """Return a check of a path, which would be the current directory if it were empty."""

    def check(path: str) -> None:
        if not path:
            raise ValueError(f"{argument}= is empty: it takes {what}")
        if "\0" in path:
            raise ValueError(f"{argument}= contains a NUL byte")

    return check


def _check_method(name: str) -> None:
    if not (name.endswith("_METHOD") and hasattr(SSL, name)):
        raise ValueError(f"sslmethod={name}: OpenSSL has no such method; leave it out")


def _check_domain(name: str) -> None:
    if name not in _DOMAINS:
        raise ValueError(f"domain={name}: it takes {', '.join(_DOMAINS[:-1])} or {_DOMAINS[-1]}")


_CHECKS: Mapping[str, Callable[[str], None]] = {
    "port": _number("port", 0, MAX_PORT),
    "backlog": _number("backlog", 1, _MAX_INT),
    "timeout": _number("timeout", 0, _MAX_INT),
    "lockfile": _number("lockfile", 0, 1),
    "index": _number("index", 0, _MAX_INT),
    "mode": _check_mode,
    "address": check_socket_path,
    "privateKey": _path("privateKey", "a PEM file with a key"),
    "certKey": _path("certKey", "a PEM file with a certificate"),
    "certificate": _path("certificate", "a PEM file with a certificate"),
    "extraCertChain": _path("extraCertChain", "a PEM file with certificates"),
    "dhParameters": _path("dhParameters", "a PEM file with parameters"),
    "sslmethod": _check_method,
    "domain": _check_domain,
}
"""The check of each argument; arguments of the same name take the same in all kinds."""

SERVER_KINDS: Mapping[str, Kind] = {
    "tcp": Kind("tcp:9999", ("port", "interface", "backlog"), ("port",)),
    "tcp6": Kind("tcp6:9999", ("port", "backlog", "interface"), ("port",)),
    "unix": Kind("unix:/tmp/chat.sock", ("address", "mode", "backlog", "lockfile"), ("address",)),
    "ssl": Kind(
        "ssl:9999:privateKey=server.pem",
        (
            *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
            *("extraCertChain", "dhParameters"),
        ),
        ("port", "privateKey"),  # Twisted would read a server.pem that nobody named
    ),
    "tls": Kind(
        "tls:/etc/chatd/certificates:9999",
        ("path", "port", "backlog", "interface"),
        ("path",),
        {"path": _path("path", "a directory")},
    ),
    "systemd": Kind("systemd:domain=UNIX:index=0", ("domain", "index", "name"), ("domain",)),
    "stdio": Kind("stdio:", ()),
}
"""The kinds of Twisted's server endpoints."""

_CLIENT_CHECKS = {"port": _number("port", 1, MAX_PORT)}
CLIENT_KINDS: Mapping[str, Kind] = {
    "tcp": Kind(
        "tcp:localhost:9999",
        ("host", "port", "timeout", "bindAddress"),
        ("host", "port"),
        _CLIENT_CHECKS,
    ),
    "unix": Kind("unix:/tmp/chat.sock", ("path", "lockfile", "timeout"), ("path",)),
    "ssl": Kind(
        "ssl:localhost:9999",
        (
            *("host", "port", "timeout", "bindAddress", "certKey", "privateKey", "caCertsDir"),
            "hostname",
        ),
        ("host", "port"),
        _CLIENT_CHECKS,
    ),
    "tls": Kind(
        "tls:localhost:9999",
        (
            *("host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots"),
            "endpoint",
        ),
        ("host", "port"),
        _CLIENT_CHECKS,
    ),
}
"""The kinds of Twisted's client endpoints."""
