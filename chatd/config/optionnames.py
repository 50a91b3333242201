"""The options on a command line: finding unknown ones, and the ones that were probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chatd.config.suggestions import did_you_mean, similar

__all__ = ["CommandLine", "is_option", "meant", "unrecognized"]

_OPTION = re.compile(r"-(?!-?\Z|\d*\.?\d+\Z)")  # neither - nor -- nor a negative number


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The arguments of a command, by their kinds.

    Attributes:
        options: The known options, each before its value.
        others: The arguments that are neither options nor values of options.
        unknown: The names of unknown options, without their values.
        excess: The names of options that have a value but take none.
        lacking: The names of options that take a value but have none.
    """

    options: list[str]
    others: list[str]
    unknown: list[str]
    excess: list[str]
    lacking: list[str]

    @classmethod
    def of(
        cls, arguments: Iterable[str], takes_value: Mapping[str, bool], *, any_value: bool = False
    ) -> CommandLine:
        """Sort arguments; options may stand anywhere before `--`.

        Args:
            arguments: The arguments.
            takes_value: Whether an option takes a value, by the option's name with its dashes.
            any_value: Whether the value of an option may be `--`, or itself look like an option.
        """
        line = cls([], [], [], [], [])
        rest = list(arguments)
        while rest:
            argument = rest.pop(0)
            if argument == "--":
                line.others.extend(rest)
                break
            name, equals, _ = argument.partition("=")
            if not is_option(argument):
                line.others.append(argument)
            elif name in takes_value:
                line.options.append(argument)
                if not takes_value[name]:
                    line.excess.extend([name] if equals else [])
                elif not equals and rest and (any_value or _is_value(rest[0])):
                    line.options.append(rest.pop(0))
                elif not equals:
                    line.lacking.append(name)
            elif takes_value.get(argument[:2]):  # a short option, and its value
                line.options.append(argument)
            else:
                line.unknown.append(name)
        return line


def is_option(argument: str) -> bool:
    """Return whether an argument looks like an option."""
    return bool(_OPTION.match(argument))


def _is_value(argument: str) -> bool:
    return argument != "--" and not is_option(argument)


def unrecognized(unknown: Sequence[str], known: Iterable[str]) -> str:
    """Return the text of an error that names unknown options, and what was probably meant.

    Args:
        unknown: The names of the unknown options.
        known: The names of all options.
    """
    found = list(dict.fromkeys(each for name in unknown for each in meant(name, known)))
    shown = ", ".join(name if name.isprintable() else repr(name) for name in unknown)
    names = f"option{'s' * (len(unknown) > 1)} {shown}"
    return f"unrecognized {names}{did_you_mean(found)}"


def meant(name: str, known: Iterable[str]) -> list[str]:
    """Return the options that begin with a name; without any, the option most like it.

    Args:
        name: The name of an unknown option, with its dashes.
        known: The names of all options.
    """
    names = {each.lstrip("-"): each for each in known if each.startswith("--")}
    return [names[each] for each in similar(name.lstrip("-").replace("_", "-"), names)]
