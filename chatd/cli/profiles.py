"""Profiles: named settings of `chatd connect`, in the person's `chatd.toml`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import quoteStringArgument

from chatd.chat.names import check_name, check_room
from chatd.config.ownfile import read_trusted_file
from chatd.errors import ConfigurationError, RequestError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KEYS", "Profile", "find_profile", "read_profiles"]

_WHAT = "configuration file"
_MAX_FILE_BYTES = 1024 * 1024
_TITLE = re.compile(r"[a-z0-9][\w.-]*", re.ASCII | re.IGNORECASE)
_COLON = re.compile(r"(?<!\\):")
_PATHS = frozenset({"path", "trustRoots", "caCertsDir", "privateKey", "certKey", "certificate"})
"""Arguments of endpoints that are paths."""
_INSTEAD = {"password": "; write the password into a file, and give its path as password_file"}
"""Advice for keys that people try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Named settings of `chatd connect`.

    Attributes:
        file: The file that holds them.
        title: The name of the profile.
        endpoint: The endpoint string.
        name: The name to ask for, or None.
        key_file: The path of the key file, or None.
        password_file: The path of the password file, or None.
        rooms: The rooms to join; empty for the server's choice.
        rejoin: Whether to join the rooms of the last time instead, at a terminal.
    """

    file: Path
    title: str
    endpoint: str
    name: str | None = None
    key_file: str | None = None
    password_file: str | None = None
    rooms: tuple[str, ...] = ()
    rejoin: bool = False

    @contextmanager
    def blamed(self, key: str) -> Iterator[None]:
        """Have a configuration error within the context name this profile and a key of it."""
        try:
            yield
        except ConfigurationError as error:
            raise _wrong(self.file, self.title, f"{key}: {error}") from error


def read_profiles(file: Path) -> dict[str, Profile]:
    """Return the profiles in a file, by their names; none if there is no file.

    Raises:
        ConfigurationError: The file or a setting in it is wrong; the error names the file, the
            profile and the key.
    """
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:
        pass  # reading the file tells why
    data = read_trusted_file(file, _WHAT, is_secret=False, max_bytes=_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigurationError(f"the {_WHAT} {file} has more than {_MAX_FILE_BYTES} bytes")
    try:
        tables = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}: line {line} is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:  # some are no TOMLDecodeError
        why = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise ConfigurationError(f"{file} is not TOML: {why}") from error
    return {title: _profile(file, title, table) for title, table in tables.items()}


def find_profile(file: Path, title: str) -> Profile:
    """Return a profile.

    Args:
        file: The configuration file.
        title: The name of the profile.

    Raises:
        ConfigurationError: There is no such profile, or the file is wrong.
    """
    profiles = read_profiles(file)
    if title in profiles:
        return profiles[title]
    there = f"the profiles in {file} are {', '.join(profiles)}"
    if not profiles:
        there = f"{file} has no profiles" if file.exists() else f"there is no {file}"
    raise ConfigurationError(
        f"{title!r} is neither a profile nor an endpoint such as tcp:localhost:9999: {there}"
    )


def _profile(file: Path, title: str, table: object) -> Profile:
    if not isinstance(table, dict):
        raise ConfigurationError(
            f"{file}: {title!r} is outside of a profile; begin a profile with a line [NAME]"
        )
    if not _TITLE.fullmatch(title):
        raise ConfigurationError(
            f"{file}: profile {title!r}: a name takes letters, digits and . _ - after the first"
        )
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            known = f"the keys are {', '.join(KEYS)}"
            raise _wrong(file, title, f"{key!r} is not a key{_INSTEAD.get(key, f'; {known}')}")
        takes, convert = KEYS[key]
        try:
            settings[key] = convert(value)
        except RequestError as error:  # a name or a room that no server takes
            raise _wrong(file, title, f"{key}: {error.message}") from error
        except TypeError as error:
            raise _wrong(file, title, f"{key} takes {takes}") from error
        if key.endswith("_file"):
            settings[key] = str(file.parent / os.path.expanduser(settings[key]))
        elif key == "endpoint":
            settings[key] = _placed(settings[key], file.parent)
    if "endpoint" not in settings:
        raise _wrong(file, title, f"the key endpoint is missing; it takes {KEYS['endpoint'][0]}")
    return Profile(file=file, title=title, **settings)


def _placed(endpoint: str, directory: Path) -> str:
    """Return an endpoint string whose relative paths are relative to a directory.

    Args:
        endpoint: The endpoint string; its colons and backslashes are escaped by backslashes.
        directory: The directory.
    """
    kind, *arguments = _COLON.split(endpoint)
    for place, argument in enumerate(arguments):
        key, has_key, value = argument.rpartition("=")
        if key in _PATHS if has_key else (kind, place) == ("unix", 0):
            head, slash, rest = value.partition("/")
            if head.startswith("~"):
                value = quoteStringArgument(os.path.expanduser(head)) + slash + rest
            elif head:
                value = f"{quoteStringArgument(str(directory))}/{value}"
            arguments[place] = f"{key}{has_key}{value}"
    return ":".join([kind, *arguments])


def _wrong(file: Path, title: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{file}: profile {title}: {what}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise TypeError
    return value


def _name(value: object) -> str:
    return check_name(_text(value))


def _rooms(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(check_room(_text(room)) for room in value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_PATH = 'the path of a file, relative to this file, such as "team.key"'
KEYS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "endpoint": ('an endpoint, such as "tcp:localhost:9999"', _text),
    "name": ('a name, such as "alice"', _name),
    "key_file": (_PATH, _text),
    "password_file": (_PATH, _text),
    "rooms": ('a list of rooms, such as ["ops", "lobby"]', _rooms),
    "rejoin": ("true or false", _flag),
}
"""The keys of a profile: what each takes, and the check of it, which may raise TypeError."""
