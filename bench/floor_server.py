"""The floor: the cost of Twisted alone, in a server that only sends each message to a room.

Run as `python -m bench.floor_server PORT`. A client's first string is the room that it joins,
answered with `ok`; each later string goes to everyone in the room. There is no encryption, no
identity, no order between rooms, no limit and no storage.
"""

from __future__ import annotations

import sys
from typing import cast

from twisted.internet import reactor
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

__all__ = ["Floor"]

_BACKLOG = 1024


class Floor(Int32StringReceiver):
    """One client of the floor.

    Args:
        rooms: The clients in each room.
    """

    MAX_LENGTH = 16 * 1024 * 1024

    def __init__(self, rooms: dict[bytes, list[Floor]]) -> None:
        self._rooms = rooms
        self._members: list[Floor] | None = None

    def connectionMade(self) -> None:
        """Send small strings without delay."""
        cast("ITCPTransport", self.transport).setTcpNoDelay(True)

    def stringReceived(self, string: bytes) -> None:
        """Join the room, or send the string to everyone in it."""
        if self._members is None:
            self._members = self._rooms.setdefault(string, [])
            self._members.append(self)
            self.sendString(b"ok")
            return
        for member in self._members:
            member.sendString(string)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Leave the room."""
        if self._members is not None:
            self._members.remove(self)


def main() -> None:
    """Listen on the port of the command line, until SIGTERM."""
    rooms: dict[bytes, list[Floor]] = {}
    factory = ServerFactory()
    factory.protocol = lambda: Floor(rooms)
    reactor.listenTCP(int(sys.argv[1]), factory, backlog=_BACKLOG, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
