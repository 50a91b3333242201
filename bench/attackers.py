"""Hostile connections of six kinds.

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
"""Number of frames in a flood."""
FLOODS_UNREAD = 6
"""Number of floods from a flooder that does not read the answers."""
LONGEST = b"\xff\xff\xff\xff"
"""The length of a frame of 4 GiB."""
DRIP_S = 0.25
"""Interval between the bytes of a dripper, in seconds."""
UNREAD_BYTES = 4096
"""Receive buffer of a flooder that does not read, in bytes."""
_UNKNOWN_TYPE = 999


class Attack(ConnectTask, frozen=True, kw_only=True):
    """The task of an attack.

    Attributes:
        wave: The number of attackers at once.
        hold_s: The length of a wave, in seconds, unless the server ends all its connections before.
    """

    wave: int
    hold_s: float


class Attacker:
    """A hostile connection; this kind sends nothing.

    Args:
        number: The attacker's number.
        task: The task of the attack.

    Attributes:
        link: The connection.
        to_send: The data to send.
        is_reading: Whether it reads received data.
        has_heard: Whether the server has sent anything.
        is_over: Whether it has finished its attack.
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
        """Act on received data."""

    def sent(self) -> None:
        """Act when all data is sent."""

    def hang_up(self) -> None:
        """Close the connection."""
        self.link.close()


class Babbler(Attacker):
    """Sends random bytes."""

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
    """Resets the connection in the middle of the handshake, or of its first frame."""

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
    """Sends one byte at a time, and never the last byte."""

    _rest = b""
    _due = 0.0

    def receive(self, data: bytes) -> None:
        """See `Attacker`."""
        if not self._rest:
            self.session.receive_data(data)
            list(self.session.events())
            self._rest = self.session.data_to_send()

    def tick(self, now: float) -> None:
        """Send the next byte if it is due at the time `now`, in seconds."""
        if now >= self._due and len(self._rest) > 1:
            self._due = now + DRIP_S
            self.send(self._rest[:1])
            self._rest = self._rest[1:]


class Flooder(Attacker):
    """Logs in and floods: three of eight then read nothing, the others say goodbye."""

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
"""The kinds, in equal numbers."""


def _bad_frames(codec: Codec, kind: int) -> list[bytes]:
    """Return frames of an unknown type, pings, faulty headers, or a damaged frame and pings."""
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
