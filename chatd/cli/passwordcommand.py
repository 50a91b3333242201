"""The terminal client's command `/password`."""

from __future__ import annotations

from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk
from chatd.errors import LocalProtocolError

__all__ = ["password"]


async def password(talk: Talk) -> None:
    """Ask for the old and the new password without echo, and change it.

    Raises:
        NotDone: There is no connection, the person has no password, or the terminal cannot hide
            a typed password.
    """
    name = talk.client.name
    if talk.login.password is None:  # guests have none
        raise NotDone("you logged in without a password, so there is none to change")
    try:
        old = await talk.window.ask_unseen(f"Old password of {name}: ")
        new = await talk.window.ask_unseen("New password: ")
        again = await talk.window.ask_unseen("Repeat the new password: ")
    except EOFError:
        talk.display.note("/password: nothing was changed")
        return
    if again != new:
        talk.display.note("/password: the two new passwords differ; nothing was changed")
        return
    try:
        await talk.client.change_password(old, new)
    except LocalProtocolError as error:
        talk.display.note(f"/password: nothing was changed: {error}")
        return
    source = talk.login.password_from
    stale = f"; {source} has the old one" if source else ""
    talk.display.note(f"your password was changed{stale}")
