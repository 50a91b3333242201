"""An echo service: it returns each message to its sender alone.

Run it: twistd -ny echo_server.py
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor

import chatd


class EchoFactory(chatd.ChatFactory):
    """Answers every message with its own content."""

    def message_received(self, session: chatd.Session, message: chatd.Message) -> None:
        """Answer one message; the client's `send` returns the answer."""
        session.reply(message, message.content)


application = Application("echo")
endpoint = os.environ.get("ENDPOINT", "tcp:9999:interface=localhost")
chatd.ChatService(reactor, EchoFactory(reactor), [endpoint]).setServiceParent(application)
