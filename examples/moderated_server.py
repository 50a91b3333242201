"""A room with a moderator that keeps notes on each session.

Run it: twistd -ny moderated_server.py

It shows a session class with hooks and data of its own, `async` methods, a command of its own, how
to refuse a message, and how to send messages to one session and to a room.
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.task import deferLater

import chatd

FORBIDDEN = "spoiler"


class Visitor(chatd.Session):
    """A session that counts its refused messages."""

    warnings = 0

    def established(self) -> None:
        """Greet this session alone."""
        self.send(f"welcome, {self.name}; no spoilers, please")

    def ended(self, reason: chatd.SessionEnded) -> None:
        """Tell everyone else how many warnings this session got."""
        self.factory.send_to_room("lobby", f"{self.name} left after {self.warnings} warnings")


class ModeratedFactory(chatd.ChatFactory[Visitor]):
    """Checks each message before everyone gets it."""

    async def message_received(self, session: Visitor, message: chatd.Message) -> None:
        """Check a message, which takes some time, and deliver or refuse it."""
        await deferLater(self.clock, 0.01)
        if FORBIDDEN in message.text:
            session.warnings += 1
            raise chatd.RequestError("moderated", "no spoilers, please")
        self.publish(session, message)

    async def command_received(self, session: Visitor, command: chatd.Message) -> None:
        """Answer the command `warnings`; chatd answers all others."""
        if command.command == "warnings":
            session.send_result(command, warnings=session.warnings)
        else:
            await super().command_received(session, command)


application = Application("moderated")
endpoint = os.environ.get("ENDPOINT", "tcp:9999:interface=localhost")
factory = ModeratedFactory(reactor, name="moderator")
chatd.ChatService(reactor, factory, [endpoint]).setServiceParent(application)
