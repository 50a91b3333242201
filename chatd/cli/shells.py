"""Completion of the command line in bash, zsh and fish, from the options of the parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from chatd.cli.syntax import Argument, Command, Takes

__all__ = ["SHELLS"]

_PROFILES = "chatd profiles 2>/dev/null"
"""Prints each profile's name, a space, and its endpoint."""


def _quoted(text: str) -> str:
    """Return text in single quotes, for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


# bash


def _bash(commands: Sequence[Command]) -> str:
    program, *others = commands
    names = " ".join(each.name for each in others)
    cases = "\n".join(_bash_case(each) for each in others)
    options = [option for each in others for option in each.options]
    after = "\n".join(_bash_value(options, takes) for takes in _BASH_VALUES)
    valued = "|".join(_valued(others))
    return f"""\
# bash completion for chatd; for example: source <(chatd completion bash)
_chatd_words() {{
    local IFS=$' \\t\\n'
    COMPREPLY+=($(compgen -W "$1" -- "$word"))
}}
_chatd_options() {{
    [[ $word == -* ]] || return
    local options=" $1 " given=" ${{COMP_WORDS[*]:0:COMP_CWORD}} " group name other
    for group in "${{@:2}}"; do
        for name in $group; do
            [[ $given == *" $name "* ]] || continue
            for other in $group; do
                [[ $other == "$name" ]] || options=${{options// $other / }}
            done
        done
    done
    _chatd_words "$options"
}}
_chatd_files() {{
    local IFS=$'\\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$word"))
}}
_chatd_profiles() {{
    _chatd_words "$({_PROFILES} | cut -d ' ' -f 1)"
}}
_chatd() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= given=0 i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        -*) ;;
        *) command=${{COMP_WORDS[i]}}; break ;;
        esac
    done
    for ((i++; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        {valued}) [[ ${{COMP_WORDS[i + 1]}} == = ]] && ((i++)); ((i++)) ;;
        -*) ;;
        *) ((given++)) ;;
        esac
    done
    [[ $word == = ]] && word=
    [[ $before == = ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
    case $before in
{after}
    esac
    case $command in
        '') _chatd_words {_quoted(names)}; _chatd_options {_quoted(" ".join(_names(program)))} ;;
{cases}
    esac
}}
complete -F _chatd chatd
"""


_BASH_VALUES = {
    Takes.TEXT: ":",
    Takes.FILE: "_chatd_files",
    Takes.PROFILE: "_chatd_profiles",
}


def _bash_value(options: Iterable[Argument], takes: Takes) -> str:
    """Return the case for the options whose values are of a kind; nothing if there are none."""
    names = sorted({name for each in options if each.takes is takes for name in each.names})
    return f"        {'|'.join(names)}) {_BASH_VALUES[takes]}; return ;;" if names else ""


def _bash_case(command: Command) -> str:
    groups = {
        " ".join(sorted((*each.names, *each.excludes))) for each in command.options if each.excludes
    }
    options = [" ".join(_names(command)), *sorted(groups)]
    actions = [f"_chatd_options {' '.join(map(_quoted, options))}"]
    for given, each in enumerate(command.positionals):
        if each.takes is Takes.CHOICE:
            action = f"_chatd_words {_quoted(' '.join(each.choices))}"
        else:
            action = _BASH_VALUES[each.takes]
        if each.takes is not Takes.TEXT:
            actions.append(f"[[ $given != {given} || $word == -* ]] || {action}")
    return f"        {command.name}) {'; '.join(actions)} ;;"


def _valued(commands: Iterable[Command]) -> list[str]:
    """Return the names of all options that take a value."""
    options = (option for each in commands for option in each.options)
    return sorted(
        {name for each in options if each.takes is not Takes.NOTHING for name in each.names}
    )


def _names(command: Command) -> list[str]:
    return [name for each in command.options for name in each.names]


# zsh


def _zsh(commands: Sequence[Command]) -> str:
    program, *others = commands
    listed = " ".join(_quoted(f"{each.name}:{each.help}") for each in others)
    options = " ".join(_zsh_option(each) for each in program.options)
    cases = "\n".join(_zsh_case(each) for each in others)
    return f"""\
#compdef chatd
# zsh completion for chatd; write it to a file _chatd in a directory of $fpath
_chatd_profiles() {{
    local -a profiles
    profiles=(${{${{(f)"$({_PROFILES})"}}/ /:}})
    _describe profile profiles
}}
_chatd() {{
    local curcontext=$curcontext state line
    local -a commands
    commands=({listed})
    _arguments -C {options} '1:command:->command' '*::argument:->argument'
    case $state in
    command) _describe command commands ;;
    argument)
        case $words[1] in
{cases}
        esac ;;
    esac
}}
if [[ $funcstack[1] == _chatd ]]; then
    _chatd "$@"
else
    compdef _chatd chatd
fi
"""


_ZSH_VALUES = {Takes.TEXT: " ", Takes.FILE: "_files", Takes.PROFILE: "_chatd_profiles"}


def _zsh_case(command: Command) -> str:
    specs = [_zsh_option(each) for each in command.options]
    specs += [_quoted(f"{place}{_zsh_value(each)}") for place, each in _placed(command)]
    return f"        {command.name}) _arguments {' '.join(specs)} ;;"


def _zsh_option(option: Argument) -> str:
    head = "*" if option.is_repeatable else f"({' '.join((*option.names, *option.excludes))})"
    value = "" if option.takes is Takes.NOTHING else _zsh_value(option)
    helped = f"[{_zsh_text(option.help)}]{value}"
    return " ".join(_quoted(f"{head}{name}{helped}") for name in option.names)


def _zsh_value(argument: Argument) -> str:
    action = _ZSH_VALUES.get(argument.takes) or f"({' '.join(argument.choices)})"
    return f":{_zsh_text(argument.metavar)}:{action}"


def _zsh_text(text: str) -> str:
    """Return text with the characters escaped that end a part of a specification."""
    return "".join(f"\\{char}" if char in "\\[]:" else char for char in text)


def _placed(command: Command) -> list[tuple[int, Argument]]:
    return list(enumerate(command.positionals, start=1))


# fish


def _fish(commands: Sequence[Command]) -> str:
    program, *others = commands
    lines = ["# fish completion for chatd; for example: chatd completion fish | source"]
    lines += [*_FISH_GIVEN, f"        case {' '.join(_valued(others))}", *_FISH_GIVEN_END]
    lines += ["complete -c chatd -f"]
    lines += [_fish_option("__fish_use_subcommand", each) for each in program.options]
    for command in others:
        described = f"-a {command.name} -d {_fish_quoted(command.help)}"
        lines.append(f"complete -c chatd -n __fish_use_subcommand {described}")
    for command in others:
        inside = f"__fish_seen_subcommand_from {command.name}"
        lines += [_fish_option(inside, each) for each in command.options]
        for given, each in enumerate(command.positionals):
            if each.takes is not Takes.TEXT:
                here = _fish_quoted(f"{inside}; and __chatd_given {given}")
                lines.append(f"complete -c chatd -n {here} {_fish_value(each)}")
    return "\n".join(lines) + "\n"


_FISH_GIVEN = [
    "function __chatd_given -d 'Test how many arguments follow the command'",
    "    set -l count -1",
    "    set -l is_value 0",
    "    for word in (commandline -opc)[2..-1]",
    "        if test $is_value = 1",
    "            set is_value 0",
    "            continue",
    "        end",
    "        switch $word",
]
_FISH_GIVEN_END = [
    "            set is_value 1",
    "        case '-*'",
    "        case '*'",
    "            set count (math $count + 1)",
    "        end",
    "    end",
    "    test $count = $argv[1]",
    "end",
]


def _fish_option(condition: str, option: Argument) -> str:
    for name in option.excludes:
        form = f"-s {name[1:]}" if not name.startswith("--") else name[2:]
        condition += f"; and not __fish_contains_opt {form}"
    parts = [f"complete -c chatd -n {_fish_quoted(condition)}"]
    for name in option.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.takes is Takes.TEXT:
        parts.append("-x")
    elif option.takes is not Takes.NOTHING:
        parts.append(f"-r {_fish_value(option)}")
    return " ".join([*parts, f"-d {_fish_quoted(option.help)}"])


def _fish_value(argument: Argument) -> str:
    if argument.takes is Takes.FILE:
        return "-F"
    if argument.takes is Takes.PROFILE:
        return "-a " + _fish_quoted(f"({_PROFILES} | string replace ' ' \\t)")
    return f"-a {_fish_quoted(' '.join(argument.choices))}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: Mapping[str, Callable[[Sequence[Command]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
"""The shells, and a function for each that returns the script for a program and its commands."""
