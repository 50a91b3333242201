"""A client that starts its own daemon, and talks to it over standard input and output.

Run it: python over_process.py. Or give the command that runs the daemon, on any machine:
python over_process.py ssh HOST twistd -n --logfile=chatd.log chatd --endpoint stdio:
"""

import os
import sys
from contextlib import suppress
from typing import cast

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import ProcessEndpoint
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess

import chatd

# Standard output carries the frames, so the log must go elsewhere.
DAEMON = [sys.executable, "-m", "twisted", "--log-file", os.devnull, "chatd", "-e", "stdio:"]


async def main(reactor: IReactorProcess, *command: str) -> None:
    """Converse, and end with one line if that is not possible."""
    try:
        await converse(reactor, *command)
    except (OSError, chatd.ChatError) as error:
        raise SystemExit(f"over_process.py: {error}") from error


async def converse(reactor: IReactorProcess, *command: str) -> None:
    """Start a daemon, and send it a message."""
    program, *arguments = command or DAEMON
    there = ProcessEndpoint(reactor, program, [program, *arguments], env=None)
    client = await chatd.connect(reactor, there, name="parent")
    receipt = await client.send("is anybody there?")
    print(f"message {receipt.seq} in {receipt.room} is confirmed")
    daemon = cast(IProcessTransport, client.transport)
    ended = client.disconnect()
    with suppress(ProcessExitedAlready):  # this client was its only client
        daemon.signalProcess("TERM")
    print(f"the session ended: {(await ended).code}")


if __name__ == "__main__":
    task.react(lambda *args: Deferred.fromCoroutine(main(*args)), sys.argv[1:])
