"""A bot that stays: it answers greetings, and reconnects when the server comes back.

Run it: twistd -ny bot.py
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor

import chatd


class GreetingBot(chatd.ChatClient):
    """Answers each "hello"."""

    def message_received(self, message: chatd.Message, is_receipt: bool) -> None:
        """Answer the greetings of others."""
        if not is_receipt and message.text == "hello":
            answer = self.reply(message, f"hello, {message.sender}")
            answer.addErrback(lambda failure: self.log.warn("not sent: {f}", f=failure.value))


application = Application("bot")
endpoint = os.environ.get("ENDPOINT", "tcp:localhost:9999")
bots = chatd.ChatClientFactory(reactor, name="bot", protocol=GreetingBot)
service = chatd.ChatClientService(reactor, endpoint, bots)
service.setServiceParent(application)
service.when_given_up().addCallback(lambda _: reactor.callWhenRunning(reactor.stop))
