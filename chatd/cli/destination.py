"""`Destination`: the server of `chatd connect` and the login there, by options and profiles."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from chatd.chat.names import check_name, check_room, fold
from chatd.cli.directories import configuration_file, state_directory
from chatd.cli.ignored import Ignored
from chatd.cli.login import Login, ask_password, read_password_file
from chatd.cli.profiles import Profile, find_profile
from chatd.cli.remembered import (
    DirectShown,
    IgnoredNames,
    Remembered,
    RememberedRooms,
    RoomsShown,
)
from chatd.client.endpoints import client_endpoint
from chatd.config.keyfile import load_key
from chatd.errors import ConfigurationError, RequestError

__all__ = ["Destination", "find_destination"]


@dataclass(frozen=True, slots=True)
class Destination:
    """A server, and the login there.

    Attributes:
        endpoint: The endpoint string.
        login: The key, the name, the password and the rooms.
        profile: The profile that they come from, or None.
        ignored: The people whose messages are not shown.
    """

    endpoint: str
    login: Login
    profile: Profile | None = None
    ignored: Ignored = field(default_factory=Ignored)

    def check(self, reactor: Any) -> None:  # noqa: ANN401
        """Check the endpoint.

        Raises:
            ConfigurationError: It is not an endpoint; the error names the profile.
        """
        with _blamed(self.profile, "endpoint"):
            client_endpoint(reactor, self.endpoint)

    def remembering(
        self, environment: Mapping[str, str], complain: Callable[[str], None]
    ) -> Destination:
        """Return the same destination with what its profile remembers from the last time.

        Those are the ignored names, the last messages that were shown, and, if the profile wants
        them, the rooms.

        Args:
            environment: The environment variables.
            complain: Shows an error, one line.
        """
        if self.profile is None:
            return self
        directory, title = state_directory(environment), self.profile.title
        people = Remembered(directory, title, IgnoredNames, complain)
        direct = Remembered(directory, title, DirectShown, complain)
        shown = Remembered(directory, title, RoomsShown, complain)
        login = replace(
            self.login,
            direct_shown=(direct.load() or DirectShown()).last,
            direct_changed=lambda last: direct.save(DirectShown(dict(last))),
            rooms_shown=(shown.load() or RoomsShown()).last,
            rooms_shown_changed=lambda last: shown.save(RoomsShown(dict(last))),
        )
        ignored = Ignored(
            (people.load() or IgnoredNames()).names,
            lambda names: people.save(IgnoredNames(tuple(names))),
        )
        known = replace(self, login=login, ignored=ignored)
        if not self.profile.rejoin:
            return known
        remembered = RememberedRooms(directory, title, complain)
        rooms = remembered.load()
        login = replace(
            login,
            rooms=self.login.rooms if rooms is None else rooms,
            rooms_are_remembered=bool(rooms),
            current=remembered.current,
            rooms_changed=remembered.save,
            current_changed=remembered.save_current,
        )
        return replace(known, login=login)


def find_destination(options: argparse.Namespace, environment: Mapping[str, str]) -> Destination:
    """Return the destination of `chatd connect`; options go before the settings of a profile.

    Args:
        options: The options of the command.
        environment: The environment variables, which tell where the profiles are.

    Raises:
        ConfigurationError: There is no such profile, or a setting or an option is wrong.
    """
    given: str = options.endpoint
    if ":" in given:  # every endpoint has one, and no profile
        return Destination(given, _login(options, None))
    profile = find_profile(configuration_file(environment), given)
    if options.room:  # the rooms of this time only
        profile = replace(profile, rejoin=False)
    return Destination(profile.endpoint, _login(options, profile), profile)


def _login(options: argparse.Namespace, profile: Profile | None) -> Login:
    name = None if options.name is None else _checked("--name", options.name, check_name)
    rooms = tuple(_checked("--room", room, check_room) for room in options.room)
    own_file = None
    if profile is not None:
        # A password belongs to its name, so another name does not get it.
        is_own = name is None or fold(name) == fold(profile.name or "")
        own_file = profile.password_file if is_own else None
        name = profile.name if name is None else name
        rooms = rooms or profile.rooms
    login = Login(key=_key(options, profile), name=name, rooms=rooms)
    if options.password:
        return replace(login, password=ask_password(_named(name)))
    if options.password_file is not None:
        _named(name)
        return _with_file(login, options.password_file, "the password file")
    if own_file is not None:
        assert profile is not None
        with _blamed(profile, "password_file"):
            _named(name)
            return _with_file(login, own_file, f"{profile.title}'s password_file")
    return login


def _with_file(login: Login, path: str, what: str) -> Login:
    """Return the login with the password in a file; `what` names the file for the person."""
    return replace(login, password=read_password_file(path), password_from=f"{what} {path}")


def _named(name: str | None) -> str:
    """Return the name that a password belongs to."""
    if name is None:
        raise ConfigurationError("a password belongs to a name: give the name with --name")
    return name


def _key(options: argparse.Namespace, profile: Profile | None) -> bytes | None:
    if options.key_file is not None:
        return load_key(options.key_file)
    if profile is None or profile.key_file is None:
        return None
    with _blamed(profile, "key_file"):
        return load_key(profile.key_file)


def _blamed(profile: Profile | None, key: str) -> AbstractContextManager[None]:
    return nullcontext() if profile is None else profile.blamed(key)


def _checked(option: str, name: str, check: Callable[[str], str]) -> str:
    """Check a name or room from an option, and return it; an error names the option."""
    try:
        return check(name)
    except RequestError as error:
        raise ConfigurationError(f"{option} {name!r}: {error.message}") from error
