"""A chat of two daemons, which share a real redis-server; no reactor is needed."""

import os
import socket
from functools import cache
from typing import Any
from unittest import SkipTest

import msgspec
from twisted.internet.task import Clock

from chatd.backplane.redis.backplane import RedisBackplane
from chatd.backplane.redis.connections import Pushes
from chatd.backplane.redis.times import Times
from chatd.chat.moderation import Ban
from chatd.chat.names import fold
from tests.atend import at_end
from tests.backplane.redis.servers import PROGRAM, RedisServer
from tests.chat.twodaemons import kept_ban
from tests.chat.wiring import Chat, at_once

_LEASE_S = 600.0  # longer than any test


class BlockingTransport:
    """A connection to a redis-server that sends at once, and reads when a test says so.

    Attributes:
        sent: How often something was sent, except by `read_all`.
        is_for_pushes: Whether it is the connection that hears channels.
    """

    def __init__(self, path, protocol):
        self.sent = 0
        self.is_for_pushes = isinstance(protocol, Pushes)
        self._protocol = protocol
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        protocol.makeConnection(self)

    def write(self, data):
        self.sent += 1
        self._socket.sendall(data)

    def abortConnection(self):
        self._socket.close()
        self._protocol.connectionLost()

    def read_all(self):
        """Read all replies and pushes that Redis has sent until now."""
        protocol = self._protocol
        if not protocol.connected:
            return
        answered: list[Any] = []
        if self.is_for_pushes:
            asked = protocol.subscribe(["end of what was pushed"])
        else:
            asked = protocol.execute_command("PING")
        self.sent -= 1
        asked.addBoth(answered.append)
        while not answered:
            protocol.dataReceived(self._socket.recv(1 << 16))


class RedisChat(Chat):
    """A chat of two daemons that share a redis-server, at which members arrive in turn.

    A step of a test ends when Redis has answered everything and all daemons have heard everything.
    The store of the chat is not used.
    """

    _is_carrying_on = False

    def make_stores(self):
        self._server = redis_server()
        self._server.command("FLUSHALL")
        self._transports: list[BlockingTransport] = []
        self._clock = Clock()
        self._nodes = [self._make_node() for _ in range(2)]
        return self._nodes

    def _make_node(self):
        return RedisBackplane(
            self._clock,
            self._dial,
            self.retention,
            fold=fold,
            times=Times(lease_s=_LEASE_S),
            unix_time=lambda: self.now,
        )

    async def _dial(self, make):
        protocol = make()
        self._transports.append(BlockingTransport(self._server.path, protocol))
        return protocol

    def open(self):
        for node in self._nodes:
            node.open()
            at_once(node.first_attempt(), self.carry_on)

    def close(self):
        self.end_late()
        for node in self._nodes:
            at_once(node.close(), self.carry_on)

    def begin_late(self):
        self.is_late = True

    def carry_one(self, random):
        random.choice(self._transports).read_all()

    def carry_to(self, daemon):
        """Let a daemon hear what Redis has sent it until now."""
        for each in self._transports_of(daemon):
            each.read_all()

    def kill(self, daemon):
        """Kill a daemon: its members hear no more, and others arrive at the other daemon."""
        for person in self.people:
            if person.daemon is daemon:
                person.is_over = True
        for each in self._transports_of(daemon):
            each.abortConnection()
        self.daemons.remove(daemon)

    def _transports_of(self, daemon):
        at = 2 * self._nodes.index(daemon.roster.store)
        return self._transports[at : at + 2]

    def end_late(self):
        self.is_late = False
        self.carry_on()

    def arrive(self, name, **options):
        was_late = self.is_late
        self.end_late()
        try:
            return super().arrive(name, **options)
        finally:
            self.is_late = was_late

    def carry_on(self):
        if self._is_carrying_on or self.is_late:
            return
        self._is_carrying_on = True
        sent = -1
        while sent != self._sent:
            sent = self._sent
            # The pushes last: what a command pushes is there when the command is answered.
            for each in sorted(self._transports, key=lambda each: each.is_for_pushes):
                each.read_all()
        self._is_carrying_on = False

    @property
    def kept_bans(self):
        kept = at_once(self._nodes[0].bans(), self.carry_on)
        return [msgspec.json.decode(ban.value, type=Ban) for ban in kept]

    def replace_bans(self, bans):
        for ban in bans:
            at_once(self._nodes[0].keep_ban(kept_ban(ban)), self.carry_on)

    @property
    def _sent(self):
        return sum(each.sent for each in self._transports)


@cache
def redis_server():
    """Return the redis-server of this run of the tests; without the program, skip the test."""
    if PROGRAM is None:
        if os.environ.get("CHATD_TOOLS") == "all":
            raise AssertionError("needs the program redis-server: .ci/tools installs it")
        raise SkipTest("needs the program redis-server: .ci/tools installs it on Debian")
    server = RedisServer().start()
    at_end(server.remove)
    return server
