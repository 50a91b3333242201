"""A daemon that is killed again and again during a conversation, and its promises.

By hand, for as long as you like: ``python -m tests.integration.crash --kills 100``
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

import chatd
from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from tests.integration.processes import Process, daemon

SENDERS = 4
BURST = 20
MAX_LIFE_S = 0.4
"""Longest life of the daemon before it is killed again, in seconds."""
RETRY_S = 0.02


class Talk:
    """Senders in bursts and readers, over a daemon that is killed at random moments.

    Args:
        reactor: The reactor.
        directory: The directory for the daemon's files.
        durability: The daemon's option.

    Attributes:
        receipts: All receipts, by the body of the message.
        heard: The messages of a reader that stayed connected as far as possible.
        heard_in_turns: The messages of a reader that was away now and then.
    """

    def __init__(self, reactor, directory: Path, durability: str = "normal") -> None:
        self.reactor = reactor
        self.endpoint = f"unix:{directory}/chat.sock"
        keep = ("--keep-messages", "10000000")  # the whole history
        self.options = ("--data", directory / "data", "--durability", durability, *keep)
        self.receipts: dict[str, chatd.Message] = {}
        self.heard: list[chatd.Message] = []
        self.heard_in_turns: list[chatd.Message] = []
        self.is_over = False

    def service(self, name: str) -> ChatClientService:
        """Return a client service that reconnects."""
        factory = ChatClientFactory(self.reactor, name=name)
        return ChatClientService(self.reactor, self.endpoint, factory, lambda _: RETRY_S)

    async def run(self, kills: int) -> list[chatd.Message]:
        """Let the clients talk while the daemon is killed several times; return the history."""
        senders = [self.service(f"sender{number}") for number in range(SENDERS)]
        steady, away = self.service("steady"), self.service("away")
        with ExitStack() as running:
            running.enter_context(self.start())
            # The readers first, so that they get every message from the first on.
            for reader in (steady, away):
                reader.startService()
                await reader.whenConnected()
            for sender in senders:
                sender.startService()
            work = [Deferred.fromCoroutine(self.send(sender)) for sender in senders]
            work.append(Deferred.fromCoroutine(self.read(steady, self.heard)))
            work.append(Deferred.fromCoroutine(self.read_in_turns(away)))
        for _ in range(kills - 1):
            with self.start():
                await deferLater(self.reactor, random.uniform(0, MAX_LIFE_S))
        with self.start(is_killed=False):
            self.is_over = True
            await gatherResults(work[:SENDERS])
            history = await self.read_all()
            last = history[-1].seq
            await self.wait_for(lambda: _last(self.heard) == _last(self.heard_in_turns) == last)
            for service in (*senders, steady, away):
                await service.stopService()
            await gatherResults(work[SENDERS:])
        return history

    def start(self, *, is_killed: bool = True):
        """Run the daemon within the context, and kill it at the end."""
        stack = ExitStack()
        process: Process = stack.enter_context(daemon(*self.options, endpoint=self.endpoint))
        stack.callback(process.send_signal, signal.SIGKILL if is_killed else signal.SIGTERM)
        return stack

    async def send(self, sender: ChatClientService) -> None:
        """Send bursts until the talk is over, and wait for the receipts of each."""
        number = 0
        name = sender.client.name if sender.client is not None else str(id(sender))
        while not self.is_over:
            bodies = [f"{name} {number + place}" for place in range(BURST)]
            number += BURST
            receipts = await gatherResults([sender.send(body) for body in bodies])
            self.receipts.update(zip(bodies, receipts, strict=True))

    async def read(self, reader: ChatClientService, heard: list[chatd.Message]) -> None:
        """Note received messages until the service stops."""
        async for message in reader:
            heard.append(message)

    async def read_in_turns(self, reader: ChatClientService) -> None:
        """Do the same, but lose the connection now and then while others send."""
        async for message in reader:
            self.heard_in_turns.append(message)
            client = reader.client
            if not self.is_over and random.random() < 0.01 and client is not None:
                client.transport.abortConnection()

    async def read_all(self) -> list[chatd.Message]:
        """Read the whole history, with a new client."""
        client = await chatd.connect(self.reactor, self.endpoint, name="historian")
        messages: list[chatd.Message] = []
        is_complete = False
        while not is_complete:
            after = messages[-1].seq if messages else 0
            page = await client.history("lobby", after=after, limit=500)
            messages += page.messages
            is_complete = page.complete
        await client.disconnect()
        return messages

    async def wait_for(self, condition) -> None:
        """Wait until a condition holds, turn by turn of the reactor."""
        while not condition():
            await deferLater(self.reactor, 0)

    def check(self, history: list[chatd.Message]) -> None:
        """Check that no confirmed message is lost, doubled or out of place."""
        assert [message.seq for message in history] == list(range(1, len(history) + 1))
        ids = [message.id for message in history]
        assert len(set(ids)) == len(ids), "an id is there twice"
        bodies = [message.text for message in history]
        assert len(set(bodies)) == len(bodies), "a message is there twice"
        by_seq = {message.seq: message for message in history}
        assert self.receipts, "nothing was confirmed"
        for body, receipt in self.receipts.items():
            assert by_seq[receipt.seq] == receipt, f"{receipt} is not in the history as it was"
            assert receipt.text == body
        for heard in (self.heard, self.heard_in_turns):
            assert heard == history, "a reader missed something, or heard it twice"


def _last(messages: list[chatd.Message]) -> int | None:
    return messages[-1].seq if messages else None


def main() -> None:
    """Run the test by hand."""
    from twisted.internet.task import react

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--durability", default="normal", choices=["normal", "full"])
    options = parser.parse_args()

    async def run(reactor) -> None:
        with tempfile.TemporaryDirectory() as directory:
            talk = Talk(reactor, Path(directory), options.durability)
            history = await talk.run(options.kills)
            talk.check(history)
            print(f"{options.kills} kills, {len(history)} messages, {len(talk.receipts)} receipts")

    react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main()
