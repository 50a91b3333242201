"""Thousands of connections in a second: all are greeted, and none is left.

By hand, with as many as you like: ``python -m tests.integration.test_faults_crowd 3000``
"""

from __future__ import annotations

import os
import resource
import selectors
import socket
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.integration.peer import LENGTH, Frame, Peer, Type, frame, opened
from tests.integration.processes import DEADLINE_S, daemon

CROWD = 1_000
SPARE_DESCRIPTORS = 200


class Crowd:
    """Connections to a daemon, all made at once.

    Args:
        port: The daemon's port on this machine.
        number: The number of connections.
    """

    def __init__(self, port: int, number: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[socket.socket, bytearray] = {}
        for _ in range(number):
            member = socket.socket()
            member.setblocking(False)
            member.connect_ex(("127.0.0.1", port))
            self._sockets[member] = bytearray()
            self._selector.register(member, selectors.EVENT_READ)

    def take(self) -> list[tuple[socket.socket, Frame]]:
        """Wait until each connection has received another frame, and return the frames."""
        told = []
        waiting = set(self._sockets)
        while waiting:
            events = self._selector.select(DEADLINE_S)
            assert events, f"{len(waiting)} of {len(self._sockets)} were told nothing"
            for key, _ in events:
                member: Any = key.fileobj
                data = member.recv(65536)
                assert data, "a connection was closed"
                arrived = self._sockets[member]
                arrived += data
                if member in waiting and is_whole(arrived):
                    (size,) = LENGTH.unpack_from(arrived)
                    got = opened(bytes(arrived[LENGTH.size : LENGTH.size + size]))
                    del arrived[: LENGTH.size + size]
                    told.append((member, got))
                    waiting.remove(member)
        return told

    def acknowledge(self, greetings: list[Any]) -> None:
        """Answer the greetings: log each connection in, without a room."""
        for member, greeting in greetings:
            header = {"session_id": greeting.header["session_id"], "rooms": []}
            member.sendall(frame(Type.SESSION_ACK, header))

    def close(self) -> None:
        """Close all of them at once."""
        self._selector.close()
        for member in self._sockets:
            member.close()


def is_whole(data: bytearray) -> bool:
    """Return whether there is a whole frame."""
    return len(data) >= LENGTH.size and len(data) >= LENGTH.size + LENGTH.unpack_from(data)[0]


@contextmanager
def descriptors_for(number: int):
    """Raise the limit on open files for so many connections, for child processes too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = number + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def come_and_go(directory: Path, number: int, times: int) -> list[float]:
    """Let a crowd connect and leave several times; return the times to the greetings."""
    unix, tcp = f"unix:{directory}/chat.sock", "tcp:0:interface=127.0.0.1"
    program = ("twistd", "-n", f"--pidfile={directory}/pid")
    took_s = []
    with (
        descriptors_for(number),
        daemon("--endpoint", tcp, "--heartbeat", "60", endpoint=unix, program=program) as process,
        closing(Peer(f"{directory}/chat.sock")) as witness,
    ):
        port = int(process.output.wait_for(r"\(tcp:127\.0\.0\.1:(\d+)\)")[1])
        descriptors = Path(f"/proc/{(directory / 'pid').read_text()}/fd")
        witness.establish("witness")
        before = len(os.listdir(descriptors))
        for _ in range(times):
            began = time.perf_counter()
            with closing(Crowd(port, number)) as crowd:
                greetings = crowd.take()
                took_s.append(time.perf_counter() - began)
                assert len({got.header["session_id"] for _, got in greetings}) == number
                assert len(os.listdir(descriptors)) == before + number
                crowd.acknowledge(greetings)
                welcomes = [got.header for _, got in crowd.take()]
                assert {welcome["event"] for welcome in welcomes} == {"welcome"}
                assert len({welcome["name"] for welcome in welcomes}) == number
            # The daemon answers after its earlier work, so this also waits for that.
            while len(os.listdir(descriptors)) > before:
                witness.say("wait")
        witness.send(Type.COMMAND, {"id": "who", "command": "who", "room": "lobby"})
        assert witness.expect(Type.RESULT, id="who").header["names"] == ["witness"]
        witness.close()
        process.output.wait_for("witness: ended")  # its line comes after all others
        assert process.output.text.count(": ended: ") == number * times + 1
    written = process.output.text + process.errors.text
    assert "Traceback" not in written
    assert "#error" not in written
    return took_s


def test_crowd(tmp_path):
    """A thousand at once are greeted, logged in and forgotten; and a second thousand, too."""
    assert len(come_and_go(tmp_path, CROWD, 2)) == 2


def main() -> None:
    """Run a crowd by hand."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else CROWD
    with tempfile.TemporaryDirectory(prefix="chatd-") as directory:
        for took_s in come_and_go(Path(directory), number, 3):
            print(f"{number} were greeted in {took_s:.2f} s: {number / took_s:,.0f} a second")


if __name__ == "__main__":
    main()
