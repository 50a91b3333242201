"""The clients of a soak: they talk, list and join rooms, and leave in every possible way.

Each client is a thread with one session after the other, so that its code reads from top to bottom.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from random import Random
from threading import Event as Flag

from bench.dialects.base import connect, payload, reset
from bench.peers import Server
from bench.probe import AnsweringLine
from bench.receipts import Ledger, Receipt
from chatd.connection.events import Event
from chatd.wire.messages import ChatHeader, Error, Message, MessageType

__all__ = ["ROOMS", "SoakClient", "SoakLine"]

ROOMS = tuple(f"#r{number}" for number in range(8))
"""The rooms in which they talk."""
PATIENCE_S = 30.0
"""Time that an answer may take, in seconds."""
STALL_S = 4.0
"""Limit on the time that a stalling client reads nothing, in seconds."""
_PAUSE_S = 0.2
_READ_BYTES = 65536


class SoakLine(AnsweringLine):
    """One session of a client.

    Args:
        link: See `Line`.
        name: See `Line`.
        room: See `Line`.
        key: See `Line`.
        ledger: Notes receipts.
        waiting: The messages without a receipt, by id; an earlier session may have sent them.

    Attributes:
        results: The received RESULTs, by the ids of their commands.
    """

    def __init__(
        self,
        link: socket.socket,
        name: str,
        room: str,
        *,
        key: bytes | None,
        ledger: Ledger,
        waiting: dict[str, Message],
    ) -> None:
        super().__init__(link, name, room, key=key)
        self._ledger = ledger
        self._waiting = waiting
        self._commands = 0
        self.results: dict[str, dict[str, object]] = {}

    def event_received(self, event: Event) -> None:
        """Note receipts and results."""
        if not isinstance(event, Message):
            return
        header = event.header
        if isinstance(header, ChatHeader):
            self.message_received(header)
        elif isinstance(header, Error):
            self._ledger.refused(header.code)
            if header.ref is not None:
                self.results[header.ref] = {}
                self._waiting.pop(header.ref, None)
        elif event.type == MessageType.RESULT and isinstance(header, dict):
            self.results[header["id"]] = header

    def message_received(self, header: ChatHeader) -> None:
        """Note a receipt."""
        if header.id in self._waiting and header.sender == self.name:
            del self._waiting[header.id]
            assert header.room is not None
            assert header.seq is not None
            self._ledger.confirm(Receipt(header.room, header.seq, header.id))

    def say_waiting(self) -> None:
        """Send all messages without a receipt, and wait for the receipts."""
        for message in self._waiting.values():
            self.session.send(message.type, message.header, message.content)
        self.push()
        self.read_until_true(lambda: not self._waiting)

    def command(self, command: str, **fields: object) -> str:
        """Queue a command for the next `push`; return its id."""
        self._commands += 1
        id = f"c{self._commands}"
        header = {**fields, "id": id, "command": command}
        self.session.send(MessageType.COMMAND, header)
        return id

    def ask(self, command: str, **fields: object) -> dict[str, object]:
        """Give a command, and wait for its RESULT; return an empty result if it was refused."""
        id = self.command(command, **fields)
        self.push()
        self.read_until_true(lambda: id in self.results)
        return self.results.pop(id)

    def push(self) -> None:
        """Send the queued data."""
        self.link.sendall(self.session.data_to_send())

    def send_half(self, message: Message) -> None:
        """Send half of a message."""
        self.session.send(message.type, message.header, message.content)
        data = self.session.data_to_send()
        self.link.sendall(data[: len(data) // 2])

    def rave(self, noise: bytes) -> None:
        """Send bytes that are not a record, and read to the end."""
        self.link.sendall(noise)
        self.read_until_true(lambda: False)

    def read_until_true(self, is_enough: Callable[[], bool]) -> None:
        """Read until a condition holds.

        Raises:
            ConnectionError: The session ended before.
            TimeoutError: It took more than `PATIENCE_S`.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not is_enough():
            if (rest := deadline - time.monotonic()) <= 0:
                raise TimeoutError(f"{self.name} had no answer in {PATIENCE_S:g} s")
            self._read(rest)

    def read_for(self, seconds: float) -> None:
        """Read for some seconds; for errors see `read_until_true`."""
        deadline = time.monotonic() + seconds
        while (rest := deadline - time.monotonic()) > 0:
            self._read(rest)

    def _read(self, timeout_s: float) -> None:
        self.link.settimeout(timeout_s)
        try:
            data = self.link.recv(_READ_BYTES)
        except TimeoutError:
            return
        finally:
            self.link.settimeout(PATIENCE_S)
        if data:
            self.feed(memoryview(data))
        if not data or self.session.is_over:
            raise ConnectionResetError("the session is over")


class SoakClient:
    """A client that connects again and again.

    Args:
        number: The client's number, which determines its actions.
        find_server: Returns the server, or None while none runs.
        ledger: Notes receipts, refusals and the ends of sessions.
        is_closing: Set when all clients must leave.
    """

    def __init__(
        self,
        number: int,
        find_server: Callable[[], Server | None],
        ledger: Ledger,
        is_closing: Flag,
    ) -> None:
        self._number = number
        self._find_server = find_server
        self._ledger = ledger
        self._is_closing = is_closing
        self._random = Random(number)
        self._waiting: dict[str, Message] = {}
        self._said = 0
        self._sessions = 0
        self._name = self._room = ""

    def run(self) -> None:
        """Connect and leave again and again until `is_closing` is set."""
        while not self._is_closing.is_set():
            server = self._find_server()
            try:
                if server is not None:
                    self._hold_session(server)
                    continue
            except ConnectionError:
                self._ledger.session_ended("cut off")
            self._is_closing.wait(_PAUSE_S * self._random.random())

    def _hold_session(self, server: Server) -> None:
        random = self._random
        with connect(server.host, server.port) as link:
            if random.random() < 0.1:
                self._intrude(link)
                return
            self._sessions += 1
            if not self._waiting:  # otherwise it takes its name again, and sends them again
                self._name = f"v{self._number}x{self._sessions}"
                self._room = random.choice(ROOMS)
            line = SoakLine(
                link,
                self._name,
                self._room,
                key=server.key,
                ledger=self._ledger,
                waiting=self._waiting,
            )
            line.join()
            line.say_waiting()
            for _ in range(random.randint(1, 8)):
                random.choice((self._talk, self._talk, self._look_around, self._read_back))(line)
                line.read_for(_PAUSE_S * random.random())
                if self._is_closing.is_set():
                    break
            leave = random.choice((self._go, self._go, self._drop, self._vanish, self._stall))
            (self._rave if random.random() < 0.1 else leave)(line)

    def _intrude(self, link: socket.socket) -> None:
        """Connect without a session: send nonsense, nothing, or half of a handshake."""
        self._ledger.session_ended("no session")
        link.recv(_READ_BYTES)
        noise = self._random.randbytes(self._random.choice((1, 25, 50, 4_000)))
        if self._random.random() < 0.7:
            link.sendall(noise)
        if self._random.random() < 0.5:
            reset(link)

    def _queue(self, line: SoakLine, count: int) -> None:
        for _ in range(count):
            self._said += 1
            length = self._random.choice((10, 100, 100, 1_000, 20_000))
            message = Message.chat(
                payload(length), id=f"{self._number}.{self._said}", room=line.room
            )
            self._waiting[message.id or ""] = message

    def _talk(self, line: SoakLine) -> None:
        self._queue(line, self._random.randint(1, 20))
        line.say_waiting()

    def _look_around(self, line: SoakLine) -> None:
        """Join and leave a room, possibly a room without other members."""
        room = self._random.choice((*ROOMS, f"#passing{self._random.random()}"))
        if room != line.room:
            line.ask("join", room=room)
            line.ask("who", room=room)
            line.ask("leave", room=room)

    def _read_back(self, line: SoakLine) -> None:
        line.ask("history", room=line.room, limit=self._random.randint(1, 50))

    def _go(self, line: SoakLine) -> None:
        self._ledger.session_ended("left")
        line.session.end("goodbye", "")
        line.push()

    def _drop(self, line: SoakLine) -> None:
        """Send messages, and disconnect before the receipts."""
        self._ledger.session_ended("reset")
        self._queue(line, 3)
        for message in self._waiting.values():
            line.session.send(message.type, message.header, message.content)
        line.push()
        reset(line.link)

    def _vanish(self, line: SoakLine) -> None:
        self._ledger.session_ended("vanished")
        line.send_half(Message.chat(payload(50_000), room=line.room))
        if self._random.random() < 0.5:
            reset(line.link)

    def _stall(self, line: SoakLine) -> None:
        """Ask for much history, and read none of it."""
        self._ledger.session_ended("stalled")
        for _ in range(20):
            line.command("history", room=line.room, limit=500)
        line.push()
        self._is_closing.wait(STALL_S * self._random.random())

    def _rave(self, line: SoakLine) -> None:
        line.rave(self._random.randbytes(self._random.choice((1_000, 100_000))))
