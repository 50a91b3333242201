"""A client that sends a message, and waits for one answer.

Run it against a server: python client.py ENDPOINT
"""

import sys

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore

import chatd


async def converse(reactor: IReactorCore, endpoint: str) -> None:
    """Say one sentence, and wait for one answer."""
    async with await chatd.connect(reactor, endpoint, name="example") as client:
        receipt = await client.send("is anybody there?")
        print(f"message {receipt.seq} was said in {receipt.room}")
        print(f"the server is {await client.ping() * 1000:.1f} ms away")
        async for message in client:
            print(f"{message.sender} says: {message.text}")
            break


if __name__ == "__main__":
    task.react(lambda *args: Deferred.fromCoroutine(converse(*args)), sys.argv[1:])
