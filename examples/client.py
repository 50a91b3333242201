"""A client that sends a message, and waits for one answer.

Run it against a server: python client.py ENDPOINT
It waits for the answer; a second client can give it.
"""

import sys

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorCore

import chatd


async def main(reactor: IReactorCore, endpoint: str) -> None:
    """Converse, and end with one line if that is not possible."""
    try:
        await converse(reactor, endpoint)
    except (ConnectError, chatd.ChatError) as error:
        raise SystemExit(f"client.py: {error}") from error


async def converse(reactor: IReactorCore, endpoint: str) -> None:
    """Say one sentence, and wait for one answer."""
    async with await chatd.connect(reactor, endpoint, name="example") as client:
        receipt = await client.send("is anybody there?")
        print(f"message {receipt.seq} in {receipt.room} is confirmed")
        print(f"the server is {await client.ping() * 1000:.1f} ms away")
        async for message in client:
            print(f"{message.sender} says: {message.text}")
            break


if __name__ == "__main__":
    if len(sys.argv[1:]) != 1:
        sys.exit("usage: python client.py ENDPOINT")
    task.react(lambda *args: Deferred.fromCoroutine(main(*args)), sys.argv[1:])
