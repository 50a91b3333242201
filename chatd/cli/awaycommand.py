"""The command `/away`, and how lists show people who are away."""

from __future__ import annotations

from chatd.chat.away import MAX_AWAY
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.client.results import PersonInfo

__all__ = ["away", "name_of"]

_MAX_SHOWN = 40
"""Limit on the part of an away text that a list shows, in characters."""


async def away(talk: Talk, text: str = "") -> None:
    """Mark the person as away, or as back if there is no text.

    Raises:
        NotDone: The text is not allowed, or there is no connection.
    """
    if len(text) > MAX_AWAY or not text.isprintable():
        raise NotDone(f"an away text is one line of up to {MAX_AWAY} characters")
    client = talk.client
    if not text:
        # Another session of the name may have changed whether it is away.
        for room in talk.whereabouts.rooms[:1]:
            await talk.people.learn(client, room)
    await talk.away.use(client, text)
    if text:
        talk.reading.look_away()
    else:
        talk.reading.look_back()
    talk.window.redraw()


def name_of(person: PersonInfo) -> str:
    """Return a person's name, with the away text if there is one."""
    text = person.away
    if len(text) > _MAX_SHOWN:
        text = f"{text[: _MAX_SHOWN - 1]}…"
    return f"{person.name} (away: {text})" if text else person.name
