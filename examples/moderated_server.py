"""A room with a moderator that keeps notes on each session.

Run it: twistd -ny moderated_server.py

It shows a session class with hooks, extra information on a session, an `async` method, how to
refuse a message, and how to send messages to one session and to a room.
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.task import deferLater

import chatd

FORBIDDEN = "spoiler"


class Visitor(chatd.Session):
    """A session that counts its refused messages."""

    def established(self) -> None:
        """Greet this session alone."""
        self.extra["warnings"] = 0
        self.send(f"welcome, {self.name}; no spoilers, please")

    def ended(self, reason: chatd.SessionEnded) -> None:
        """Tell everyone else how many warnings this session got."""
        warnings = self.extra["warnings"]
        self.factory.send_to_room("lobby", f"{self.name} left after {warnings} warnings")


class ModeratedFactory(chatd.ChatFactory):
    """Checks each message before everyone gets it."""

    session_class = Visitor

    async def message_received(self, session: chatd.Session, message: chatd.Message) -> None:
        """Check a message, which takes some time, and deliver or refuse it."""
        await deferLater(reactor, 0.01)
        if FORBIDDEN in message.text:
            session.extra["warnings"] += 1
            raise chatd.RequestError("moderated", "no spoilers, please")
        self.publish(session, message)


application = Application("moderated")
endpoint = os.environ.get("ENDPOINT", "tcp:9999:interface=localhost")
factory = ModeratedFactory(reactor, name="moderator")
chatd.ChatService(reactor, factory, [endpoint]).setServiceParent(application)
