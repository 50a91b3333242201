"""Connections that mean harm, of six kinds.

The benchmark does not depend on the tests: it sends thousands of the same frames, whereas
`tests.wire.hostile` makes each kind of fault once.
"""

from __future__ import annotations

import random
import socket

from bench.dialects.base import reset
from bench.worker import ConnectTask
from chatd.connection.client import ClientConnection
from chatd.connection.events import PingReceived, Welcomed
from chatd.wire.channel import ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import Heartbeat, MessageType

__all__ = ["KINDS", "Attack", "Attacker", "Dripper"]

FLOOD = 1_000
"""How many frames one who floods sends at once."""
FLOODS_UNREAD = 6
"""How many times it sends them, where it does not read the answers."""
LONGEST = b"\xff\xff\xff\xff"
"""The length of a frame of 4 GiB."""
DRIP_S = 0.25
"""From one byte to the next of one who drips, in seconds."""
UNREAD_BYTES = 4096
"""The receive buffer of one who does not read."""
_UNKNOWN_TYPE = 999


class Attack(ConnectTask, frozen=True, kw_only=True):
    """What they are told.

    Attributes:
        wave: How many of them at once.
        hold_s: How long a wave stays, in seconds, unless the server ends all of it before.
    """

    wave: int
    hold_s: float


class Attacker:
    """One connection that means harm; this one says nothing at all.

    Args:
        number: Which one it is.
        task: Whom it is to harm.

    Attributes:
        link: The connection.
        to_send: What is to be sent as soon as it can be.
        is_reading: Whether it reads what it is sent.
        has_heard: Whether the server has said anything.
        is_over: Whether it has done what it came for.
    """

    is_reading = True
    has_heard = False
    is_over = False

    def __init__(self, number: int, task: Attack) -> None:
        self.number = number
        self.link = socket.socket()
        self.link.setblocking(False)
        self.to_send = memoryview(b"")
        self.codec = Codec(task.key)
        self.channel = (
            ClearChannel(expects_server=True)
            if task.key is None
            else SecureChannel(noise_psk(task.key), initiator=False)
        )
        self.session = ClientConnection(
            self.codec, self.channel, 0.0, name=f"a{number}", rooms=[f"#a{number // 10}"]
        )

    def send(self, data: bytes) -> None:
        """Send bytes when the socket takes them."""
        self.to_send = memoryview(bytes(self.to_send) + data)

    def receive(self, data: bytes) -> None:
        """Act on what has arrived."""

    def sent(self) -> None:
        """Act on all that was to be sent having been sent."""

    def hang_up(self) -> None:
        """Close."""
        self.link.close()


class Babbler(Attacker):
    """Sends what means nothing."""

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        if not self.has_heard:
            self.send(random.Random(self.number).randbytes(16 * 1024))


class Boaster(Attacker):
    """Announces a frame of 4 GiB, and begins it."""

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        if self.session.init is None:
            self.session.receive_data(data)
            list(self.session.events())
            self.send(self.session.handshake_to_send())
            if self.session.init is not None:
                self.send(self.channel.seal(LONGEST + bytes(64 * 1024)))


class Quitter(Attacker):
    """Hangs up half-way, without a word: of the handshake, or of its first frame."""

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        self.session.receive_data(data)
        list(self.session.events())
        answer = self.session.data_to_send()
        if answer:
            if self.number // len(KINDS) % 2 or self.session.init is not None:
                answer = answer[: len(answer) // 2]
                self.is_over = True
            self.send(answer)

    def hang_up(self) -> None:
        """See `Attacker`."""
        reset(self.link)


class Dripper(Attacker):
    """Sends one byte at a time, and never the last."""

    _rest = b""
    _due = 0.0

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        if not self._rest:
            self.session.receive_data(data)
            list(self.session.events())
            self._rest = self.session.data_to_send()

    def tick(self, now: float) -> None:
        """Send the next byte when it is due, in seconds."""
        if now >= self._due and len(self._rest) > 1:
            self._due = now + DRIP_S
            self.send(self._rest[:1])
            self._rest = self._rest[1:]


class Flooder(Attacker):
    """Is welcomed, and floods: three of eight read nothing from then on, the others say goodbye."""

    def __init__(self, number: int, task: Attack) -> None:
        super().__init__(number, task)
        kind = number // len(KINDS) % 8
        self._flood = b"".join(_bad_frames(self.codec, kind % 4))
        self._reads_on = kind not in (0, 1, 2)
        self._floods_left = 1
        if not self._reads_on:
            self._floods_left = FLOODS_UNREAD
            self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        self.session.receive_data(data)
        is_welcome = False
        for event in self.session.events():
            is_welcome = is_welcome or isinstance(event, Welcomed)
            if isinstance(event, PingReceived):
                self.session.answer(event)
        self.send(self.session.data_to_send())
        if is_welcome:
            self.is_reading = self._reads_on
            self.sent()

    def sent(self) -> None:
        """See `Attacker`."""
        if self.session.is_established and self._floods_left:
            self._floods_left -= 1
            self.send(self.channel.seal(self._flood))
        elif self.session.is_established and self.is_reading:
            self.session.end("goodbye", "")
            self.send(self.session.data_to_send())


KINDS = (Attacker, Babbler, Boaster, Quitter, Dripper, Flooder)
"""The kinds, of which there are equally many."""


def _bad_frames(codec: Codec, kind: int) -> list[bytes]:
    """Return frames of an unknown type, pings, faulty headers, or one that was damaged."""
    if kind == 0:
        return [codec.encode_parts(_UNKNOWN_TYPE, {"id": "x"})] * FLOOD
    pings = [codec.encode_parts(MessageType.HEARTBEAT, Heartbeat(n), b"ping") for n in range(FLOOD)]
    if kind == 1:
        return pings
    if kind == 2:
        return [codec.encode_parts(MessageType.MESSAGE, {"id": 5})] * FLOOD
    damaged = bytearray(pings[0])
    damaged[-1] ^= 1
    return [bytes(damaged), *pings]
