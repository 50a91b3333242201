"""`ClientPrivateRoomCommands`: the commands for private rooms that an operator's client gives."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from chatd.arguments import check_texts
from chatd.client.fields import Name, convert
from chatd.client.results import Invitation, MadePrivate, Uninvited

__all__ = ["ClientPrivateRoomCommands"]

T = TypeVar("T")


class ClientPrivateRoomCommands:
    """The commands for private rooms; for operators, on servers with accounts."""

    def make_private(self, room: str) -> Deferred[MadePrivate]:
        """Make a room private: only operators and invited names may enter.

        Accounts that are in the room are invited; guests are removed.

        Returns:
            A Deferred that fires with the numbers of invited names and of removed sessions.
        """
        check_texts(room=room)
        asked = self.command("private", room=room)
        return asked.addCallback(lambda result: convert(result, MadePrivate))

    def make_public(self, room: str) -> Deferred[None]:
        """Let everybody enter a private room, and forget its invitations."""
        check_texts(room=room)
        return self.command("public", room=room).addCallback(lambda _: None)

    def invite(self, room: str, name: str) -> Deferred[bool | None]:
        """Invite a name to a private room, whether or not it has an account yet.

        Returns:
            A Deferred that fires with whether an account of the name exists; None if the server
            does not tell.
        """
        check_texts(room=room, name=name)
        asked = self.command("invite", room=room, name=name)
        return asked.addCallback(lambda result: convert(result, Invitation).has_account)

    def uninvite(self, room: str, name: str) -> Deferred[int]:
        """Take an invitation back, and remove the name from the room.

        Returns:
            A Deferred that fires with the number of removed sessions.
        """
        check_texts(room=room, name=name)
        asked = self.command("uninvite", room=room, name=name)
        return asked.addCallback(lambda result: convert(result, Uninvited).removed)

    def invited(self, room: str) -> Deferred[list[str]]:
        """Return a Deferred that fires with the invited names of a private room, folded."""
        check_texts(room=room)
        return self._list("invited", "names", list[Name], room=room)

    # Implemented by `ClientCommands`

    def command(self, command: str, /, **fields: object) -> Deferred[dict[str, Any]]:
        """Give the server a command."""
        raise NotImplementedError

    def _list(
        self, command: str, field: str, items: type[list[T]], **fields: object
    ) -> Deferred[list[T]]:
        """Return a Deferred that fires with a list."""
        raise NotImplementedError
