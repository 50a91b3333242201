"""The manual pages chatd(1) and chatd(8), from the options themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chatd._version import __version__
from chatd.cli.aliases import ALIASES
from chatd.cli.commands import COMMANDS
from chatd.cli.keyhelp import TERMINAL_KEYS
from chatd.cli.manualtexts import (
    CLIENT_ENVIRONMENT,
    CLIENT_FILES,
    DAEMON_ENDS,
    DAEMON_FILES,
    DAEMON_SIGNALS,
    DAEMON_VALUES,
    SECRETS,
)
from chatd.cli.roff import Item, Page, Section, bold, italic, page_text, plain_text
from chatd.cli.status import MEANINGS
from chatd.cli.syntax import PAGES, Argument, Command

if TYPE_CHECKING:
    from chatd.daemon.tap import Options

__all__ = ["page_of"]

_SOURCE = f"chatd {__version__}"


def page_of(name: str, commands: Sequence[Command]) -> str:
    """Return the text of a manual page.

    Args:
        name: One of `PAGES`.
        commands: The `chatd` command and its commands.
    """
    client, daemon = PAGES
    return page_text({client: _client, daemon: _daemon}[name](commands))


def _client(commands: Sequence[Command]) -> Page:
    program, *others = commands
    return Page(
        "chatd",
        1,
        _SOURCE,
        [
            Section("NAME", [plain_text("chatd - talk to a chatd server")]),
            Section("SYNOPSIS", [_usage(each) for each in others]),
            Section("DESCRIPTION", [plain_text(program.description)]),
            Section("OPTIONS", [_item(each) for each in program.options]),
            *(_section(each) for each in others),
            Section(
                "COMMANDS AT A TERMINAL",
                [
                    Item(
                        bold(f"/{name} {command.arguments}".rstrip()),
                        command.help + _short_names(name),
                    )
                    for name, command in COMMANDS.items()
                ],
            ),
            Section("KEYS AT A TERMINAL", _items(TERMINAL_KEYS)),
            _ends({int(status): meaning for status, meaning in MEANINGS.items()}),
            Section("ENVIRONMENT", _items(CLIENT_ENVIRONMENT)),
            Section("FILES", _items(CLIENT_FILES)),
            Section("SEE ALSO", [f"{bold('chatd')}(8), {bold('twistd')}(1)"]),
        ],
    )


def _daemon(_: Sequence[Command]) -> Page:
    # Imported here: the daemon's modules would slow the start of the other commands.
    from chatd.daemon.tap import Options  # noqa: PLC0415

    options = Options()
    return Page(
        "chatd",
        8,
        _SOURCE,
        [
            Section("NAME", [plain_text("chatd - chat and message daemon, a plugin of twistd")]),
            Section(
                "SYNOPSIS",
                [
                    f"{bold('twistd')} [{italic('options of twistd')}] {bold('chatd')} "
                    f"{plain_text(options.synopsis)}"
                ],
            ),
            Section("DESCRIPTION", [plain_text(options.longdesc)]),
            Section("OPTIONS", _daemon_items(options)),
            Section("SIGNALS", _items(DAEMON_SIGNALS)),
            _ends(DAEMON_ENDS),
            Section("FILES", [*_items(DAEMON_FILES), plain_text(SECRETS)]),
            Section("SEE ALSO", [f"{bold('chatd')}(1), {bold('twistd')}(1)"]),
        ],
    )


def _usage(command: Command) -> str:
    parts = [bold(f"chatd {command.name}")]
    for each in command.positionals:
        value = italic(each.metavar)
        parts.append(f"[{value}]" if each.is_optional else value)
    # Each command has --help, which needs no mention.
    if any("--help" not in each.names for each in command.options):
        parts.append(f"[{italic('options')}]")
    return " ".join(parts)


def _section(command: Command) -> Section:
    items = [_item(each) for each in (*command.positionals, *command.options)]
    title = f"chatd {command.name}".upper()
    return Section(title, [plain_text(command.description), *items])


def _item(argument: Argument) -> Item:
    value = italic(argument.metavar)
    if not argument.names:
        return Item(value, argument.help)
    ending = f" {value}" if argument.metavar else ""
    return Item(", ".join(bold(name) + ending for name in argument.names), argument.help)


def _daemon_items(options: Options) -> list[Item]:
    short = {long: key for key, long in options.synonyms.items() if len(key) == 1}
    values = {name: value for value, names in DAEMON_VALUES.items() for name in names}
    items = []
    # Without the sign, which would sort a name behind the names that it begins.
    for name, takes in sorted(option.partition("=")[:2] for option in options.longOpt):
        ending = f" {italic(values[name])}" if takes else ""
        names = [f"-{short[name]}"] if name in short else []
        term = ", ".join(bold(each) + ending for each in [*names, f"--{name}"])
        text = " ".join(options.docs[name].split())
        default = options.defaults.get(name)
        if takes and default is not None and "[default:" not in text:
            text += f" [default: {default}]"
        items.append(Item(term, text))
    return items


def _short_names(name: str) -> str:
    """Return the short names of a command, in words."""
    short = [f"/{each}" for each, full in ALIASES.items() if full == name]
    return f"; short: {', '.join(short)}" if short else ""


def _items(texts: Mapping[str, str]) -> list[Item]:
    return [Item(bold(term), text) for term, text in texts.items()]


def _ends(meanings: Mapping[int, str]) -> Section:
    return Section("EXIT STATUS", _items({str(each): text for each, text in meanings.items()}))
