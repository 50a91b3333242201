"""The commands for rooms and conversations, for actions, and for the bell."""

from __future__ import annotations

from chatd.chat.names import check_name, fold
from chatd.cli.arguments import checked
from chatd.cli.notdone import NotDone
from chatd.cli.places import Place
from chatd.cli.talk import Talk
from chatd.cli.typed import ACTION
from chatd.cli.words import words_for

__all__ = ["GOTO", "LEAVE", "QUERY", "act", "go_to", "leave", "query", "set_bell"]

GOTO = """PLACE is a name, its beginning or a number
if several places begin so, you stay, and see their names
Alt and the number do the same"""
LEAVE = """without PLACE, a name or a number, you leave the current place
the text is your last message there: /leave see you
before a text, PLACE is the whole name of a room of yours, or @NAME
a text of one word needs PLACE before it, and so does a text that
begins with a number, a room or a person: /leave lobby 2 late"""
QUERY = "without NAME: close the conversation; /msg sends one message"

_MAX_CHOICES = 10
"""Limit on the places that an error names."""


async def go_to(talk: Talk, text: str) -> None:
    """Let typed lines go to a place, by its name, title or number, or by its beginning.

    Raises:
        NotDone: There is no such place, or there are several.
    """
    found = talk.places.find(text)
    places = talk.places.beginning(text) if found is None else [found]
    if len(places) > 1:
        raise NotDone(f"{text}: {_choice([place.title for place in places])}?")
    if not places and text.isascii() and text.isdecimal():
        raise NotDone(f"there is no place {text}")
    if not places:
        raise NotDone(f"you are not in {text}; enter it with /join, or see /query")
    talk.whereabouts.go_to(places[0])


def _choice(titles: list[str]) -> str:
    """Return several titles in words; the last words stand for those beyond the limit."""
    if len(titles) > _MAX_CHOICES:
        titles = [*titles[: _MAX_CHOICES - 1], f"{len(titles) - _MAX_CHOICES + 1} others"]
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


async def query(talk: Talk, name: str | None = None, text: str = "") -> None:
    """Open a conversation with a person; without a name, close the current one."""
    if name is None:
        if talk.whereabouts.companion is None:
            raise NotDone("there is no conversation to close; open one with /query NAME")
        _close_conversation(talk, talk.whereabouts.companion)
        return
    place = talk.places.open(checked(check_name, name))
    talk.whereabouts.go_to(place)
    if text:
        talk.say(text)


async def leave(talk: Talk, first: str | None = None, rest: str = "") -> None:
    """Leave a room or close a conversation; a text is the last message there.

    Args:
        talk: The conversation in which the command was typed.
        first: The place, or the first word of the text.
        rest: The text, or the rest of it.

    Raises:
        NotDone: The person is not in that place, or there is no connection.
    """
    place, text = _to_leave(talk, first, rest)
    if place.is_person:
        if text:
            await talk.say(text, to=place.name)  # the receipt opens the conversation
        _close_conversation(talk, place.name)
        return
    client = talk.client  # without a connection, the text is not sent either
    if text:
        talk.say(text, room=place.name)
    was_here = talk.places.is_current(place)
    await client.leave(place.name)
    current = talk.places.current
    rest = (
        "/join ROOM enters another" if current is None else f"your lines go to {current.title} now"
    )
    talk.display.note(f"you left {place.name}; {rest}")
    if was_here:
        talk.whereabouts.move_on()


def _to_leave(talk: Talk, first: str | None, rest: str) -> tuple[Place, str]:
    """Return the place to leave, and the last message there.

    A first word that is no place begins the message, as in irssi. If it can mean both, nothing is
    left or sent: a place before a text is a room by its whole name, or a person with the at sign.

    Raises:
        NotDone: The person is not in that place, or the first word can mean two things.
    """
    place = None if first is None else talk.places.find(first)
    if first is not None and place is not None:
        is_by_title = fold(first) == fold(place.title)
        if is_by_title or not rest:
            return place, rest
    current = talk.places.current
    if current is None:
        raise NotDone("you are in no room; enter one with /join ROOM")
    if first is None:
        return current, ""
    advice = f"/leave {current.title} {first} …" if rest else f"/leave {current.title} {first}"
    if place is not None:
        raise NotDone(f"write {advice} for that text, or /leave {place.title} … for that place")
    if not rest or _is_like_a_place(talk, first):
        raise NotDone(f"you are not in {first}; {advice} leaves {current.title} with that text")
    return current, f"{first} {rest}"


def _is_like_a_place(talk: Talk, word: str) -> bool:
    """Return whether a word that is no place of the person may be meant as a place.

    These are numbers, words with the sign of a room or a person, and known rooms and people.
    """
    if word.startswith(("#", "@")) or (word.isascii() and word.isdecimal()):
        return True
    words = words_for(talk.places, talk.states, talk.known, talk.name, {})
    return fold(word) in map(fold, (*words.rooms, *words.names))


def _close_conversation(talk: Talk, name: str) -> None:
    """Close the conversation with a person."""
    place = Place(None, name)
    was_here = talk.places.is_current(place)
    talk.places.close(place)
    current = talk.places.current
    rest = (
        "/join ROOM enters a room" if current is None else f"your lines go to {current.title} now"
    )
    talk.display.note(f"the conversation with {name} is closed; {rest}")
    if was_here:
        talk.whereabouts.move_on()
    talk.window.redraw()


async def act(talk: Talk, text: str) -> None:
    """Send an action."""
    talk.say(f"{ACTION}{text}")


async def set_bell(talk: Talk, choice: str | None = None) -> None:
    """Turn the bell on or off, or tell whether it is on."""
    if choice not in (None, "on", "off"):
        raise NotDone("/bell is on or off")
    if choice is not None:
        talk.display.bell.is_on = choice == "on"
    state = "on" if talk.display.bell.is_on else "off"
    talk.display.note(f"the bell for direct messages and mentions is {state}")
