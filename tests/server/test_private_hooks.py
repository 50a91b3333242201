"""Tests that a service which decides about joins itself keeps the private rooms."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock

from chatd.chat.policy import Policy
from chatd.errors import RequestError
from chatd.server.accounts import Accounts
from chatd.server.factory import ChatFactory
from chatd.server.session import Session
from chatd.testing import MemoryServer
from chatd.wire.messages import Message
from tests.client.cases import AnswersCase

SECRET = b"open sesame"


class VaultFactory(ChatFactory):
    """Lets only alice into `vault`, and puts everybody who asks into `den`."""

    async def command_received(self, session: Session, command: Message) -> None:
        header: Any = command.header
        if header["command"] == "join" and header["room"] == "vault" and session.name != "alice":
            raise RequestError("too-late", "the vault is closed")
        if header["command"] == "beam":
            room = await self.hub.roster.open("den")
            self.hub.roster.enter(session, room)
            self.hub.roster.close(room)
            session.send_result(command)
            return
        await self.engine.commands.run(session, header)


class HookTests(AnswersCase):
    def setUp(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=SECRET, bob=SECRET, op=SECRET)
        self.server = MemoryServer(
            VaultFactory,
            key=b"k" * 32,
            accounts=Accounts(Clock(), [checker]),
            policy=Policy(operators=("op",)),
        )
        self.op, self.alice, self.bob = (
            self.server.connect(name, password=SECRET.decode()) for name in ("op", "alice", "bob")
        )
        self.result(self.op.make_private("den"))
        self.result(self.op.make_private("vault"))
        self.result(self.op.invite("vault", "bob"))

    def test_both_decide(self) -> None:
        """A session enters a room only if the service and the room's invitations allow it."""
        self.assertEqual(self.error(self.bob.join("vault")), "too-late")
        self.assertEqual(self.error(self.alice.join("vault")), "not-invited")
        self.result(self.op.invite("vault", "alice"))
        self.assertEqual(self.result(self.alice.join("vault")).members, 1)
        self.assertEqual(self.error(self.alice.join("den")), "not-invited")

    def test_not_past_it(self) -> None:
        """A service cannot put a member into a private room that the member may not enter."""
        self.result(self.bob.command("beam"))
        self.assertEqual(self.error(self.bob.send("hello", room="den")), "not-in-room")
        self.result(self.op.command("beam"))
        self.result(self.op.send("hello", room="den"))
