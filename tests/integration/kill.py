"""A server that is killed at one step after another, and its promises afterwards.

A step is a line of chatd's code, or an instruction of SQLite. Each time, a forked process sends and
receives the same messages, and kills itself at its step as ``kill -9`` would. Then the test opens
its directory again, and compares the stored messages with those that were delivered.

By hand, at every step, or even at every instruction of Python's::

    python -m tests.integration.kill --every 1
    python -m tests.integration.kill --every 1 --instructions
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import Clock

import chatd
from chatd import Message
from chatd.chat.moderation import Ban, Bans
from chatd.chat.policy import Policy
from chatd.config.banfile import BanFile
from chatd.server.factory import ChatFactory
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import Durability, Retention
from chatd.wire.codec import Codec
from chatd.wire.messages import MessageType
from tests.fakes.handserver import fields_of
from tests.fakes.peers import Peer, SocketTransport, command, hand_client, settle
from tests.storage.stores import AtOnce

LOBBY = room_stream("lobby")
DIRECT = direct_stream("alice", "bob")
NAMES = ("alice", "bob", "carol")
LARGE = 20_000
RECORD = struct.Struct(">BI")
TURNS: Sequence[Sequence[tuple[str, str, str | None]]] = (
    (("alice", "a1", None),),
    (("bob", "b1", None), ("alice", "a2", None), ("alice", "a3", "bob")),
    (("carol", "c1", None), ("bob", "b2", "alice"), ("bob", "b3", None), ("alice", "a4", None)),
    (("carol", "c2", None), ("alice", "large", None)),
    (("bob", "b4", None), ("bob", "b5", "alice"), ("alice", "a5", "bob")),
)
"""The messages of each reactor turn: sender, text, and receiver, which is None for the lobby.
No turn begins with the last sender of the turn before: the server would store its first message
alone."""


class Steps:
    """Counts steps, and kills this process at one of them.

    Args:
        fatal: The number of the step at which to kill, from 1 on; 0 for none.
        are_instructions: Whether each Python instruction is a step, instead of each line.
    """

    def __init__(self, fatal: int, *, are_instructions: bool = False) -> None:
        self._fatal = fatal
        self._event = "opcode" if are_instructions else "line"
        self._root = str(Path(chatd.__file__).parent) + os.sep
        self.count = 0

    def begin(self) -> None:
        """Start counting."""
        connect = sqlite3.connect

        def connect_and_count(*arguments, **options) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_progress_handler(self._step, 1)
            return connection

        sqlite3.connect = connect_and_count  # type: ignore[assignment]  # chatd needs no more
        sys.settrace(self._enter)

    def end(self) -> None:
        """Stop counting."""
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(self._root):
            return None
        if self._event == "opcode":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._trace

    def _trace(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        if event == self._event:
            self._step()
        return self._trace

    def _step(self) -> int:
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


@dataclass
class Heard:
    """The frames that the clients of a server received.

    Attributes:
        frames: The frames, by the clients' names.
    """

    frames: dict[str, list[Message]] = field(default_factory=lambda: {name: [] for name in NAMES})

    @property
    def messages(self) -> list[Message]:
        """The received messages of all clients, repetitions included."""
        told = [frame for frames in self.frames.values() for frame in frames]
        return [frame for frame in told if frame.type == MessageType.MESSAGE]

    def receipts(self, name: str) -> set[str]:
        """The ids of a client's messages that have a receipt."""
        messages = self.messages_to(name)
        return {message.id or "" for message in messages if message.sender == name}

    def messages_to(self, name: str) -> list[Message]:
        """The messages that a client received."""
        return [frame for frame in self.frames[name] if frame.type == MessageType.MESSAGE]

    def results(self) -> set[str]:
        """The answered commands."""
        frames = [frame for frames in self.frames.values() for frame in frames]
        return {fields_of(frame)["id"] for frame in frames if frame.type == MessageType.RESULT}

    def epochs(self) -> set[str]:
        """The epochs of the lobby in the clients' welcomes."""
        frames = [frame for frames in self.frames.values() for frame in frames]
        return {
            room["epoch"]
            for frame in frames
            if frame.type == MessageType.EVENT and fields_of(frame)["event"] == "welcome"
            for room in fields_of(frame)["rooms"]
        }


def read_heard(path: Path) -> Heard:
    """Read the log that `Server` wrote of its sent frames."""
    heard = Heard()
    streams = dict.fromkeys(NAMES, b"")
    data = path.read_bytes() if path.exists() else b""
    while data:
        number, size = RECORD.unpack_from(data)
        streams[NAMES[number]] += data[RECORD.size : RECORD.size + size]
        data = data[RECORD.size + size :]
    for name, stream in streams.items():
        codec = Codec()
        reader = codec.reader()
        reader.receive_data(stream)
        heard.frames[name] = list(codec.decode_stream(reader))
    return heard


class Server:
    """A server on a database, with its clients by hand; all in this thread.

    Args:
        directory: The directory for its files.
        retention: The limits on stored messages.
        log: The file to which it writes each frame at the moment of sending.
    """

    def __init__(self, directory: Path, retention: Retention, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.store = SqliteStore(
            directory,
            retention,
            durability=Durability.NORMAL,
            run=AtOnce(),
            unix_time=self.clock.seconds,
        )
        self.ban_file = BanFile(directory / "bans.json")
        self._clients: dict[str, Peer] = {}

    def start(self) -> None:
        """Open the store, and log the clients in."""
        self.store.open()
        bans = Bans(save=self._save_bans, lock=DeferredLock(), unix_time=self.clock.seconds)
        self._factory = ChatFactory(
            self.clock,
            unix_time=self.clock.seconds,
            store=self.store,
            bans=bans,
            policy=Policy(operators=("alice",)),
        )
        for number, name in enumerate(NAMES):
            self._clients[name] = hand_client(self._factory, name, self._transport(number))

    async def _save_bans(self, bans: list[Ban]) -> None:
        self.ban_file.save(bans)

    def _transport(self, number: int) -> type[SocketTransport]:
        log = self._log

        class Noting(SocketTransport):
            def write(self, data: bytes) -> None:
                os.write(log, RECORD.pack(number, len(data)) + data)
                super().write(data)

        return Noting

    def say(self, turn: Sequence[tuple[str, str, str | None]]) -> None:
        """Make clients send messages in one turn."""
        for name, id, to in turn:
            content = id.encode().ljust(LARGE if id == "large" else 0, b".")
            self._clients[name].send(Message.chat(content, id=id, to=to))
        settle(self._factory)

    def command(self, name: str, client: str = "alice", /, **fields: object) -> None:
        """Let a client give a command."""
        self._clients[client].send(command(name, **fields))
        settle(self._factory)

    def stop(self) -> None:
        """Say goodbye, and close the store."""
        stopped = self._factory.shut_down()
        for client in self._clients.values():
            client.transport.lose()
        assert stopped.called
        self.close()

    def close(self) -> None:
        """Close the open files."""
        wait(self.store.close())
        os.close(self._log)


def wait(coroutine) -> Any:
    """Return the result of a coroutine that does not wait."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    if isinstance(result, BaseException) or hasattr(result, "raiseException"):
        result.raiseException()
    return result


@dataclass(frozen=True)
class Scene:
    """The actions until the end, or until the process is killed.

    Attributes:
        keep: The number of messages kept in each stream.
    """

    keep: int

    @property
    def retention(self) -> Retention:
        """The limits on stored messages."""
        return Retention(max_messages=self.keep)

    def act(self, directory: Path, log: Path, turns: Sequence[Any] = TURNS) -> None:
        """Carry out the actions."""
        server = Server(directory, self.retention, log)
        server.start()
        for number, turn in enumerate(turns):
            server.say(turn)
            if number == 0:
                server.command("topic", room="lobby", topic="wine")
            if number == 1:
                server.command("ban", name="mallory")
        server.command("history", "carol", room="lobby", limit=3)
        server.command("join", "bob", room="cellar", after=0)
        server.command("leave", "bob", room="cellar")
        wait(server.store.expire())
        server.stop()

    def check(self, directory: Path, log: Path) -> str:
        """Check the state after the kill, continue, and check again; return a summary."""
        heard = read_heard(log)
        server = Server(directory, self.retention, log)
        server.store.open()
        lobby = self._check_stream(server, LOBBY, [id for _, id, to in all_said() if to is None])
        direct = self._check_stream(server, DIRECT, [id for _, id, to in all_said() if to])
        stored = {message.id: message for message in lobby + direct}
        counts = [log[-1].seq or 0 if log else 0 for log in (lobby, direct)]
        assert counts in whole_turns(), f"half a turn: {counts}"
        for message in heard.messages:
            kept = stored.get(message.id)
            is_gone = (
                kept is None and (message.seq or 0) <= counts[message.room is None] - self.keep
            )
            assert is_gone or kept == message.with_ref(None), (
                f"{message} was told, and is not there"
            )
        if lobby and heard.epochs():
            head = wait(server.store.read(LOBBY, limit=1, max_bytes=1)).head
            assert {head.epoch} == heard.epochs()
            assert head.topic == "wine" or "topic" not in heard.results()
        banned = [ban.name for ban in server.ban_file.load()]
        assert banned in ([], ["mallory"])
        assert banned or "ban" not in heard.results()
        server.close()
        check_tables(directory / "chatd.db")
        self._check_going_on(directory, log, heard)
        return f"{sum(counts)} stored, {len(heard.messages)} told"

    def _check_going_on(self, directory: Path, log: Path, heard: Heard) -> None:
        """Resend messages without a receipt with the same ids; check that each is there once."""
        rest = [[said for said in turn if said[1] not in heard.receipts(said[0])] for turn in TURNS]
        log.unlink(missing_ok=True)
        self.act(directory, log, rest)
        again = read_heard(log)
        for name, id, _ in all_said():
            assert id in heard.receipts(name) | again.receipts(name), f"{id} has no receipt"
        server = Server(directory, self.retention, log)
        server.store.open()
        for key, ids in (
            (LOBBY, [id for _, id, to in all_said() if to is None]),
            (DIRECT, [id for _, id, to in all_said() if to]),
        ):
            messages = self._check_stream(server, key, ids)
            assert messages[-1].seq == len(ids), f"{messages[-1]} is not the last of {ids}"
        server.close()
        check_tables(directory / "chatd.db")

    def _check_stream(self, server: Server, key: str, said: Sequence[str]) -> list[Message]:
        """Check that a stream holds a beginning of its messages, and return them."""
        page = wait(server.store.read(key, after=0, limit=1000, max_bytes=10**9))
        messages = page.messages
        assert page.is_complete
        assert page.head.seq == (messages[-1].seq if messages else 0)
        assert len(messages) >= min(page.head.seq, self.keep)
        first = page.head.seq - len(messages) + 1
        assert [message.seq for message in messages] == list(range(first, page.head.seq + 1))
        assert [message.id for message in messages] == list(said[first - 1 : page.head.seq])
        for message in messages:
            assert message.text == message.id.ljust(LARGE if message.id == "large" else 0, ".")
        return messages


SCENES = (Scene(keep=1000), Scene(keep=4))


def all_said() -> list[tuple[str, str, str | None]]:
    """Return the messages of all turns."""
    return [said for turn in TURNS for said in turn]


def whole_turns() -> list[list[int]]:
    """Return the possible lengths of the lobby and the direct messages: whole turns."""
    counts = [[0, 0]]
    for turn in TURNS:
        direct = sum(to is not None for _, _, to in turn)
        counts.append([counts[-1][0] + len(turn) - direct, counts[-1][1] + direct])
    return counts


def check_tables(path: Path) -> None:
    """Check that a database is intact, and that its tables of streams fit the messages."""
    connection = sqlite3.connect(path)
    try:
        (result,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert result == "ok"
        for number, seq, oldest, size in connection.execute(
            "SELECT id, seq, oldest, bytes FROM streams WHERE key IS NOT NULL"
        ).fetchall():
            row = connection.execute(
                "SELECT max(seq), count(*), sum(length(content)) FROM messages"
                " WHERE stream = ? AND seq >= ?",
                (number, oldest),
            ).fetchone()
            assert row == (seq, seq - oldest + 1, size)
    finally:
        connection.close()


def run_until(scene: Scene, fatal: int, directory: Path, *, are_instructions: bool) -> int:
    """Act in a new process, to be killed at a step; return the number of its steps.

    Returns:
        The number of steps; 0 if the process was killed.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        status = 1
        try:
            os.close(reading)
            steps = Steps(fatal, are_instructions=are_instructions)
            steps.begin()
            scene.act(directory / "data", directory / "told")
            steps.end()
            os.write(writing, b"%d" % steps.count)
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as pipe:
        count = int(pipe.read() or 0)
    _, status = os.waitpid(process, 0)
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert was_killed or os.WEXITSTATUS(status) == 0, f"it failed by itself: {status}"
    assert was_killed == (count == 0)
    return count


def kill(scene: Scene, fatal: int, *, are_instructions: bool = False) -> str:
    """Let the server be killed at a step, check all promises, and return a summary."""
    with tempfile.TemporaryDirectory(prefix="chatd-") as name:
        directory = Path(name)
        run_until(scene, fatal, directory, are_instructions=are_instructions)
        return scene.check(directory / "data", directory / "told")


def count_steps(scene: Scene, *, are_instructions: bool = False) -> int:
    """Count the steps of a server that is not killed."""
    with tempfile.TemporaryDirectory(prefix="chatd-") as name:
        directory = Path(name)
        count = run_until(scene, 0, directory, are_instructions=are_instructions)
        scene.check(directory / "data", directory / "told")
        return count


def spread(count: int, points: int, seed: int) -> list[int]:
    """Choose steps: half of them evenly spaced, half at random, the first and the last too."""
    even = range(1, count + 1, max(1, count // max(1, points // 2)))
    chosen = random.Random(seed).sample(range(1, count + 1), points // 2)
    return sorted({*even, *chosen, count})


def main() -> None:
    """Kill a server at each of the chosen steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=60, help="how many steps, of each scene")
    parser.add_argument("--every", type=int, help="every so many steps instead")
    parser.add_argument("--at", type=int, help="this step alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--instructions", action="store_true", help="of Python's, not lines")
    options = parser.parse_args()
    are_instructions = options.instructions
    failures = 0
    for scene in SCENES:
        count = count_steps(scene, are_instructions=are_instructions)
        numbers = spread(count, options.points, options.seed)
        if options.every:
            numbers = list(range(1, count + 1, options.every))
        if options.at:
            numbers = [options.at]
        results = set()
        for number in numbers:
            try:
                results.add(kill(scene, number, are_instructions=are_instructions))
            except Exception as error:
                failures += 1
                print(f"{scene}, killed at step {number} of {count}: {error!r}", file=sys.stderr)
        print(f"{scene}: killed at {len(numbers)} of {count} steps; {len(results)} outcomes")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
