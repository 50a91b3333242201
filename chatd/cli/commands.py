"""The commands of the terminal client, such as `/join ROOM`."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from chatd.chat.names import MAX_TOPIC, check_name, check_room
from chatd.cli import browsingcommands
from chatd.cli.aliases import ALIASES, full_name
from chatd.cli.arguments import checked, room_or_current
from chatd.cli.awaycommand import away, name_of
from chatd.cli.helptext import KEY_HELP, command_help, list_commands
from chatd.cli.keyhelp import key_help
from chatd.cli.notdone import NotDone
from chatd.cli.operatorcommands import BAN, KICK, ban, bans, kick, unban
from chatd.cli.passwordcommand import password
from chatd.cli.peoplecommands import WHOIS, ignore, unignore, whois
from chatd.cli.placecommands import GOTO, LEAVE, QUERY, act, go_to, leave, query, set_bell
from chatd.cli.privaterooms import invite, invited, private, public, uninvite
from chatd.cli.talk import Talk
from chatd.cli.typed import command_in, message_in
from chatd.config.suggestions import did_you_mean, similar
from chatd.errors import ErrorCode, RequestError, SessionEnded

__all__ = ["COMMANDS", "Command", "act_on", "is_command"]

_MAX_LISTED = 100
"""Limit on the names or rooms in a list."""
_ARGUMENT = re.compile(r"\[[^]]*\]|\S+")
_CLEAR = "/goto PLACE shows its last messages again, and /history begins anew"
_QUIT = "the text is your last message in the room that you visited last"


class Command(NamedTuple):
    """A command of the terminal client.

    Attributes:
        arguments: The arguments, as `/help` shows them: capitals stand for one word, small letters
            for the rest of the line, and brackets mark optional arguments.
        help: A short description.
        run: Carries the command out, with its arguments.
        more: Further lines for `/help` about this command.
    """

    arguments: str
    help: str
    run: Callable[..., Coroutine[Any, Any, None]]
    more: str = ""


async def act_on(talk: Talk, line: str) -> None:
    """Carry out a typed line, which is a command or a message; see `chatd.cli.typed`.

    A mistake in the line, or a state that forbids it, is raised before the first await. Later
    failures are shown as notes.

    Args:
        talk: The conversation in which the line was typed.
        line: The line.

    Raises:
        NotDone: The line was not carried out.
    """
    typed = command_in(line)
    if typed is None:
        talk.say(message_in(line))
        return
    name = full_name(typed.name)
    command = COMMANDS.get(name)
    if command is None:
        hint = did_you_mean([f"/{each}" for each in similar(name, (*COMMANDS, *ALIASES))])
        raise NotDone(
            f"there is no command /{typed.typed}{hint}; see /help, or begin a message with //"
        )
    arguments = _split(name, command, typed.rest)
    talk.browsing.stop_search()
    try:
        await command.run(talk, *arguments)
    except RequestError as error:
        talk.display.note(f"/{name}: {error.message}")
    except SessionEnded:
        talk.display.note(f"/{name}: the connection was lost before the server answered")


def _split(name: str, command: Command, rest: str) -> list[str]:
    """Return the arguments of a typed command.

    Raises:
        NotDone: There are too few or too many arguments.
    """
    wanted = _ARGUMENT.findall(command.arguments)
    least = sum(not each.startswith("[") for each in wanted)
    most = len(command.arguments.split())
    takes_rest = bool(wanted) and wanted[-1].strip("[]").islower()
    given = rest.split(maxsplit=most - 1) if takes_rest else rest.split()
    usage = f"/{name} {command.arguments}".rstrip()
    if len(given) < least:
        raise NotDone(f"too few arguments: {usage}")
    if len(given) > most:
        raise NotDone(f"too many arguments: {usage}")
    return [each.rstrip() for each in given]


async def _join(talk: Talk, room: str) -> None:
    joined = await talk.whereabouts.enter(checked(check_room, room))
    meant = room.lstrip("#")
    is_new = joined is not None and joined.members == 1 and joined.seq == 0
    if meant != room and meant and is_new:  # irssi adds the # by itself
        talk.display.note(f"{room} is a new room; if you meant {meant}: /leave, then /join {meant}")
    several = [each for each in room.split(",") if each]
    if len(several) > 1 and is_new:  # irssi joins each
        meant, first = " and ".join(several), several[0]
        talk.display.note(f"{room} is a new room; if you meant {meant}: /leave, then /join {first}")


async def _say(talk: Talk, text: str) -> None:
    talk.say(text)


async def _rooms(talk: Talk) -> None:
    rooms = await talk.client.list_rooms()
    talk.known.rooms = [each.room for each in rooms]
    talk.display.note("rooms:" if rooms else "there are no rooms")
    for each in rooms[:_MAX_LISTED]:
        about = f"; topic: {each.topic}" if each.topic else ""
        hidden = ", private" if each.private else ""
        talk.display.note(f"  {each.room}, {each.members} there{hidden}{about}")
    if len(rooms) > _MAX_LISTED:
        talk.display.note(f"  and {len(rooms) - _MAX_LISTED} more")


async def _who(talk: Talk, room: str | None = None) -> None:
    room = room_or_current(talk, room)
    try:
        people = await talk.people.of(talk.client, room)
    except RequestError as error:
        if error.code != ErrorCode.NO_SUCH_ROOM:
            raise
        raise RequestError(error.code, f"{error.message}; for a person: /whois {room}") from error
    more = f" and {len(people) - _MAX_LISTED} more" if len(people) > _MAX_LISTED else ""
    listed = ", ".join(map(name_of, people[:_MAX_LISTED])) + more
    talk.display.note(f"{len(people)} in {room}: {listed}")


async def _msg(talk: Talk, name: str, text: str) -> None:
    talk.say(text, to=checked(check_name, name))


async def _topic(talk: Talk, topic: str | None = None) -> None:
    room, client = talk.whereabouts.need_room(), talk.client
    if topic is not None and (len(topic) > MAX_TOPIC or not topic.isprintable()):
        raise NotDone(f"a topic is one line of up to {MAX_TOPIC} characters")
    topic = "" if topic == "-" else topic
    before = await client.topic(room)
    if topic is None:
        talk.display.note(f"the topic of {room}: {before}" if before else f"{room} has no topic")
    elif topic == before:
        talk.display.note("that is the topic already")
    else:
        await client.topic(room, topic)  # the server's event shows the change


async def _name(talk: Talk, name: str | None = None) -> None:
    if name is None:
        talk.display.note(f"you are {talk.name}; /name NAME takes another name")
        return
    name = await talk.client.rename(checked(check_name, name))
    talk.display.note(f"you are {name} now")


async def _help(talk: Talk, command: str | None = None) -> None:
    if command is None:
        lines = list_commands(COMMANDS)
    elif command.casefold() == KEY_HELP:
        lines = key_help()
    else:
        name = full_name(command.removeprefix("/").casefold())
        if name not in COMMANDS:
            hint = did_you_mean(similar(name, (*COMMANDS, *ALIASES, KEY_HELP)))
            raise NotDone(
                f"there is no command {command.removeprefix('/')}{hint}; "
                f"/help lists all, /help {KEY_HELP} the keys"
            )
        lines = command_help(name, COMMANDS, ALIASES)
    for line in lines:
        talk.display.note(line)


async def _clear(talk: Talk) -> None:
    talk.window.clear()


async def _quit(talk: Talk, text: str = "") -> None:
    room = talk.places.last_room
    if text and room is not None:
        talk.say(text, room=room.name, is_last=True)
    elif text:
        talk.display.note(f"not sent: {text} (you are in no room)")
    talk.is_over = True


COMMANDS = {
    "join": Command("ROOM", "enter a room; your lines go there", _join),
    "leave": Command("[PLACE] [text]", "leave a room or a conversation", leave, LEAVE),
    "goto": Command("PLACE", "go to a room or conversation", go_to, GOTO),
    "rooms": Command("", "list the rooms", _rooms),
    "who": Command("[ROOM]", "list the people in a room", _who),
    "msg": Command("NAME text", "send a direct message", _msg),
    "query": Command("[NAME] [text]", "talk with NAME alone, until /leave", query, QUERY),
    "say": Command("text", "send the text, also if it begins with a slash", _say),
    "me": Command("text", "tell what you do: /me waves", act),
    "topic": Command("[text]", "show or set the topic; - clears it", _topic),
    "away": Command("[text]", "be away; without a text: be back", away),
    "whois": Command("NAME", "tell in which of your rooms NAME is", whois, WHOIS),
    "ignore": Command("[NAME]", "hide what NAME says, or list the names", ignore),
    "unignore": Command("NAME", "show again what NAME says", unignore),
    "name": Command("[NAME]", "take another name; alone: show yours", _name),
    "history": Command(
        browsingcommands.HISTORY,
        "show earlier messages; again: go on",
        browsingcommands.history,
    ),
    "search": Command(
        browsingcommands.SEARCH, "find messages; without a text: go on", browsingcommands.search
    ),
    "kick": Command("NAME [reason]", "end all sessions of NAME (operators)", kick, KICK),
    "ban": Command(
        "NAME-or-ADDRESS [DURATION] [reason]", "ban, such as for 10m, 2h, 7d (operators)", ban, BAN
    ),
    "unban": Command("NAME-or-ADDRESS", "lift a ban (operators)", unban),
    "bans": Command("", "list the bans (operators)", bans),
    "password": Command("", "change the password of your account", password),
    "private": Command("[ROOM]", "admit only invited people (operators)", private),
    "public": Command("[ROOM]", "open a private room (operators)", public),
    "invite": Command("NAME [ROOM]", "invite to a private room (operators)", invite),
    "uninvite": Command("NAME [ROOM]", "take an invitation back (operators)", uninvite),
    "invited": Command("[ROOM]", "list the invited names (operators)", invited),
    "bell": Command("[on|off]", "ring at direct messages and mentions", set_bell),
    "clear": Command("", "clear the screen; so does Ctrl+L", _clear, _CLEAR),
    "help": Command("[COMMAND]", "list the commands, or explain one", _help),
    "quit": Command("[text]", "leave; so does the line exit, or Ctrl+D", _quit, _QUIT),
}
"""The commands by their names."""


def is_command(name: str) -> bool:
    """Return whether a command has this name."""
    return full_name(name) in COMMANDS
