"""A bot that stays: it answers greetings, and reconnects when the server comes back.

Run it: python bot.py ENDPOINT
"""

import sys

from twisted.internet import task
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

import chatd


class GreetingBot(chatd.ChatClient):
    """Answers each "hello"."""

    def message_received(self, message: chatd.Message, is_receipt: bool) -> None:
        """Answer the greetings of others."""
        if not is_receipt and message.text == "hello":
            answer = self.reply(message, f"hello, {message.sender}")
            answer.addErrback(lambda failure: self.log.warn("not sent: {f}", f=failure.value))


async def main(reactor: ReactorBase, endpoint: str) -> None:
    """Run the bot until it is stopped, or end with status 1 if the server does not want it."""
    try:
        factory = chatd.ChatClientFactory(reactor, name="bot", protocol=GreetingBot)
        service = chatd.ChatClientService(reactor, endpoint, factory)
    except chatd.ConfigurationError as error:
        raise SystemExit(f"bot.py: {error}") from error
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.startService()
    reason = await service.when_given_up()
    raise SystemExit(f"bot.py: {reason}")


if __name__ == "__main__":
    if len(sys.argv[1:]) != 1:
        sys.exit("usage: python bot.py ENDPOINT")
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    task.react(lambda *args: Deferred.fromCoroutine(main(*args)), sys.argv[1:])
