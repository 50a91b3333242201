"""The commands `/whois`, `/ignore` and `/unignore`."""

from __future__ import annotations

from contextlib import suppress

from chatd.chat.names import check_name, fold
from chatd.cli.arguments import checked
from chatd.cli.ignored import MAX_IGNORED
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.client.results import PersonInfo
from chatd.errors import RequestError

__all__ = ["WHOIS", "ignore", "unignore", "whois"]

WHOIS = "the server tells of the people in your rooms, and of nobody else"


async def whois(talk: Talk, name: str) -> None:
    """Tell in which of the person's rooms somebody is, and whether they are away."""
    name = checked(check_name, name)
    client = talk.client
    person: PersonInfo | None = None
    rooms: list[str] = []
    for room in talk.whereabouts.rooms:
        with suppress(RequestError):  # the person has left that room meanwhile
            for each in await talk.people.of(client, room):
                if fold(each.name) == fold(name):
                    person = each
                    rooms.append(room)
    if person is None:
        talk.display.note(f"{name} is in none of your rooms, and may be elsewhere or not connected")
    else:
        talk.display.note(f"{person.name} is in {', '.join(rooms)}")
        if person.away:
            talk.display.note(f"{person.name} is away: {person.away}")
    if talk.ignored.has(name):
        talk.display.note(f"you ignore {name}")


async def ignore(talk: Talk, name: str | None = None) -> None:
    """Ignore a name, or list the ignored names."""
    if name is None:
        names = ", ".join(talk.ignored.names)
        talk.display.note(f"you ignore {names}" if names else "you ignore nobody")
        return
    name = checked(check_name, name)
    if fold(name) == fold(talk.name):
        raise NotDone("you cannot ignore yourself")
    if not talk.ignored.add(name):
        raise NotDone(f"you can ignore {MAX_IGNORED} names; /unignore NAME ends it for one")
    until = "" if talk.ignored.is_kept else " until you leave"
    talk.display.note(f"you ignore {name}{until}; /unignore {name} ends that")


async def unignore(talk: Talk, name: str) -> None:
    """Ignore a name no longer."""
    if not talk.ignored.remove(name):
        raise NotDone(f"you do not ignore {name}; /ignore lists the names")
    talk.display.note(f"you no longer ignore {name}")
