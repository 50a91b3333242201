"""A client of a daemon that it starts itself, over the daemon's standard input and output.

Run it: python over_process.py. Or give the command that runs the daemon, which may be elsewhere:
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

# Its log must not go where its frames go.
DAEMON = [sys.executable, "-m", "twisted", "--log-file", os.devnull, "chatd", "-e", "stdio:"]


async def converse(reactor: IReactorProcess, *command: str) -> None:
    """Start a daemon, and send it a message."""
    program, *arguments = command or DAEMON
    there = ProcessEndpoint(reactor, program, [program, *arguments], env=None)
    client = await chatd.connect(reactor, there, name="parent")
    receipt = await client.send("is anybody there?")
    print(f"message {receipt.seq} was said in {receipt.room}")
    daemon = cast(IProcessTransport, client.transport)
    ended = client.disconnect()
    with suppress(ProcessExitedAlready):  # it serves nobody else
        daemon.signalProcess("TERM")
    print(f"the session ended: {(await ended).code}")


if __name__ == "__main__":
    task.react(lambda *args: Deferred.fromCoroutine(converse(*args)), sys.argv[1:])
