"""The `chatd` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from chatd._version import __version__
from chatd.cli.directories import configuration_file
from chatd.cli.leaving import Signalled, raise_at_signals
from chatd.cli.parser import Parser
from chatd.cli.printable import plain
from chatd.cli.profiles import read_profiles
from chatd.cli.shells import SHELLS
from chatd.cli.status import Status
from chatd.cli.streams import complain, flush_standard_streams, open_standard_streams, tell
from chatd.cli.syntax import PAGES, Command, commands_of
from chatd.config.keyfile import write_key_file
from chatd.config.suggestions import listed
from chatd.errors import ConfigurationError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `chatd` command.

    Args:
        arguments: The arguments after the command's name; those of the process if None.

    Returns:
        The exit status; see `chatd.cli.status.Status`.
    """
    open_standard_streams()
    try:
        with raise_at_signals():
            options = _parse(sys.argv[1:] if arguments is None else arguments)
            return int(options.run(options))
    except ConfigurationError as error:
        complain(str(error))
        return Status.USAGE
    except Signalled as signalled:
        return signalled.status
    finally:
        flush_standard_streams()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; no error repeats a mistakenly given password."""
    options, excess = _parser().parse_known_args(arguments)
    command = options.parser
    if excess and getattr(options, "password", False):
        command.error("too many arguments; --password takes no value")
    if excess:
        command.error(f"unrecognized arguments: {' '.join(excess)}")
    if options.run is _passwd and (options.name is None) != options.list:
        command.error("give a NAME" if options.name is None else "--list takes no NAME")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="chatd", description="A chat client. The daemon is: twistd -n chatd")
    parser.add_argument("--version", action="version", version=f"chatd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _add_connect(commands)

    keygen = commands.add_parser(
        "keygen", help="make a key file", description="Make a key file with mode 0600."
    )
    keygen.add_argument("path", metavar="PATH", type=_path, help="the file to make")
    keygen.set_defaults(run=_keygen, parser=keygen)

    _add_passwd(commands)
    _add_invite(commands)
    _add_backup(commands)

    profiles = commands.add_parser(
        "profiles",
        help="list the profiles",
        description="List the profiles in chatd.toml, each with its endpoint.",
    )
    profiles.set_defaults(run=_profiles, parser=profiles)

    completion = commands.add_parser(
        "completion",
        help="print the completion for a shell",
        description="Print the script with which a shell completes the command line.",
    )
    completion.add_argument(
        "shell", metavar="SHELL", choices=list(SHELLS), help=f"the shell: {listed(list(SHELLS))}"
    )
    completion.set_defaults(
        run=lambda options: _print(SHELLS[options.shell](commands_of(parser))), parser=completion
    )

    manual = commands.add_parser(
        "manual",
        help="print a manual page",
        description="Print a manual page: chatd.1 of this command, or chatd.8 of the daemon.",
    )
    manual.add_argument("page", metavar="PAGE", choices=PAGES, help=f"the page: {listed(PAGES)}")
    manual.set_defaults(
        run=lambda options: _manual(options.page, commands_of(parser)), parser=manual
    )
    return parser


def _add_connect(commands: Any) -> None:  # noqa: ANN401  (argparse's class has no public name)
    parser = commands.add_parser(
        "connect",
        help="talk to a server",
        description=(
            "Talk to a server. At a terminal, type lines; /help lists the commands, and /quit, "
            "'exit' or Ctrl+D leaves. From a pipe, or with --file, each line is a message to the "
            "first room, and the command ends when the server has confirmed all of them. With "
            "--follow, it sends nothing."
        ),
    )
    parser.add_argument(
        "endpoint",
        metavar="ENDPOINT",
        help=(
            "the server's endpoint, such as tcp:localhost:9999, unix:/tmp/chat.sock or "
            "wss://chat.example.org/ws, or the name "
            "of a profile in chatd.toml"
        ),
    )
    parser.add_argument("--name", metavar="NAME", help="the name to ask for")
    parser.add_argument(
        "--room",
        metavar="ROOM",
        action="append",
        default=[],
        help="a room to ask for; may be given several times, and lines go to the first",
    )
    parser.add_argument("--key-file", metavar="FILE", type=_path, help="the server's key file")
    password = parser.add_mutually_exclusive_group()
    password.add_argument(
        "--password-file",
        metavar="FILE",
        type=_path,
        help="a file that holds one line, the password of NAME; others may not read it",
    )
    password.add_argument(
        "--password", action="store_true", help="ask for the password of NAME at the terminal"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--file", metavar="FILE", type=_path, help="send the lines of this file")
    source.add_argument(
        "--follow", action="store_true", help="only show what is received; send and read nothing"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="print messages and events as one JSON object a line"
    )
    output.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument(
        "--reconnect",
        action="store_true",
        help="go on by itself after a lost connection, as it always does at a terminal",
    )
    parser.set_defaults(run=_connect, parser=parser)


def _add_passwd(commands: Any) -> None:  # noqa: ANN401  (see `_add_connect`)
    accounts = commands.add_parser(
        "passwd",
        help="set the password of an account, or delete or list accounts",
        description=(
            "Set the password of an account in a password file. A missing file is made with mode "
            "0600. At a terminal, asks for the password twice; from a pipe, reads the whole input, "
            "which is one line."
        ),
    )
    accounts.add_argument("file", metavar="FILE", type=_path, help="the password file")
    accounts.add_argument("name", metavar="NAME", nargs="?", help="the account's name")
    action = accounts.add_mutually_exclusive_group()
    action.add_argument("--delete", action="store_true", help="delete the account instead")
    action.add_argument("--list", action="store_true", help="list the accounts instead")
    accounts.set_defaults(run=_passwd, parser=accounts)


def _add_invite(commands: Any) -> None:  # noqa: ANN401  (see `_add_connect`)
    parser = commands.add_parser(
        "invite",
        help="print a link to the page of a server",
        description=(
            "Print a link with which a person joins in a browser, and at a terminal a QR code of "
            "it. Anyone with the link has the key."
        ),
    )
    parser.add_argument(
        "url", metavar="URL", help="the address of the page, such as https://chat.example.org/"
    )
    parser.add_argument("--key-file", metavar="FILE", type=_path, help="the server's key file")
    parser.add_argument("--room", metavar="ROOM", help="the room that the person joins")
    parser.set_defaults(run=_invite, parser=parser)


def _add_backup(commands: Any) -> None:  # noqa: ANN401  (see `_add_connect`)
    parser = commands.add_parser(
        "backup",
        help="copy the data directory of a daemon",
        description=(
            "Copy the messages and the bans of a daemon, which may run meanwhile. A copy that is "
            "whole takes the place of an earlier one."
        ),
    )
    parser.add_argument(
        "directory", metavar="DIR", type=_path, help="the directory that the daemon has as --data"
    )
    parser.add_argument(
        "copy", metavar="COPY", type=_path, help="the directory for the copy; made if missing"
    )
    parser.set_defaults(run=_backup, parser=parser)


def _path(text: str) -> str:
    """Return the path of a file, after a check that it is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


# Some modules are imported by the commands that need them: they would slow the start of the others.


def _connect(options: argparse.Namespace) -> Status:
    from chatd.cli.connecting import connect  # noqa: PLC0415

    return connect(options)


def _passwd(options: argparse.Namespace) -> Status:
    from chatd.cli.passwd import passwd  # noqa: PLC0415

    return passwd(options)


def _invite(options: argparse.Namespace) -> Status:
    from chatd.cli.invite import invite  # noqa: PLC0415

    return invite(options)


def _backup(options: argparse.Namespace) -> Status:
    from chatd.cli.backup import backup  # noqa: PLC0415

    return backup(options)


def _keygen(options: argparse.Namespace) -> Status:
    write_key_file(options.path)
    tell(f"wrote {options.path}; give a copy to every client, and the server --key-file")
    return Status.DONE


def _manual(page: str, commands: Sequence[Command]) -> Status:
    from chatd.cli.manual import page_of  # noqa: PLC0415

    return _print(page_of(page, commands))


def _print(text: str) -> Status:
    return Status.DONE if tell(text, end="") else Status.LOST


def _profiles(_: argparse.Namespace) -> Status:
    file = configuration_file(os.environ)
    profiles = read_profiles(file)
    if not profiles:
        complain(f"there are no profiles in {file}")
    for profile in profiles.values():
        tell(plain(f"{profile.title} {profile.endpoint}"))
    return Status.DONE
