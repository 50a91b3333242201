"""Thousands of hostile connections, during a normal conversation of two clients."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import Popen
from threading import Thread

from bench.attack import Outcome
from bench.attackers import Attack
from bench.dialects.base import connect
from bench.figures import Effort, Figures, Note, add
from bench.idle import IdleCrowd
from bench.peers import Peer, Server, prepare_chatd, running
from bench.probe import AnsweringLine, Probe, Summary
from bench.process import MIB, PeakWatch, open_descriptors, resident_bytes
from bench.worker import answer_of, started
from chatd.connection.events import Event
from chatd.wire.messages import Message, MessageType

__all__ = ["Listener", "count_tracebacks", "hostile"]

WAVE = 2_000
"""Number of connections at once."""
HEARTBEAT_S = 2.0
"""Heartbeat, in seconds, short enough to find a client that does not read within a wave."""
SETTLE_S = 20.0
"""Time that the last connections may take to end, in seconds."""
ROOM = "#pair"
_LOOK_S = 0.1
_LOOKS = 5


class Listener(AnsweringLine):
    """The listener in the conversation.

    Attributes:
        heard: The number of received messages.
        is_cut_off: Whether the server disconnected it before the end.
    """

    heard = 0
    is_cut_off = False
    is_leaving = False

    def event_received(self, event: Event) -> None:
        """Count a message."""
        if isinstance(event, Message) and event.type == MessageType.MESSAGE:
            self.heard += 1

    def listen(self) -> None:
        """Read until `is_leaving` is set; run it in its own thread."""
        self.link.settimeout(_LOOK_S)
        while not self.is_leaving:
            try:
                data = self.link.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                data = b""
            if not data:
                self.is_cut_off = True
                return
            self.feed(memoryview(data))


def hostile(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Send waves of hostile connections, and measure their effect on the server."""
    figures: Figures = {}
    for peer in peers:
        has_key = peer.name != "chatd-clear"
        prepare = partial(
            prepare_chatd, has_key=has_key, heartbeat_s=HEARTBEAT_S, is_protected=True
        )
        with running(replace(peer, prepare=prepare)) as server:
            taken, outcome = _bear(server, effort)
        for quantity, figure in taken.items():
            add(figures, quantity, peer, figure)
        left = ", ".join(f"{count} {kind}" for kind, count in outcome.outlasted.items() if count)
        note(
            f"{peer.label}: {outcome.connected:,} of {effort.hostile:,} hostile connections were "
            f"answered; still there after {effort.hostile_hold_s:g} s: {left or 'none'}"
        )
    return figures


def _bear(server: Server, effort: Effort) -> tuple[dict[str, float], Outcome]:
    if not _is_serving(server, "first"):
        raise ConnectionError("the server did not serve even before the attack")
    descriptors = _resting_descriptors(server)
    _warm_up(server, min(effort.hostile, WAVE))
    _settled_descriptors(server, descriptors)
    before = resident_bytes(server.pid)
    task = Attack(
        host=server.host,
        port=server.port,
        key=server.key,
        count=effort.hostile,
        wave=WAVE,
        hold_s=effort.hostile_hold_s,
    )
    with PeakWatch(server.pid) as watch, started("bench.attack", task) as attackers:
        summary, lost = _converse(server, attackers)
        outcome = answer_of(attackers, Outcome)
    serves = _is_serving(server, "last")
    left = _settled_descriptors(server, descriptors) - descriptors
    return {
        "longest wait": summary.longest,
        "p99": summary.p99,
        "messages lost": float(lost),
        "still serves": float(serves),
        "growth": (resident_bytes(server.pid) - before) / MIB,
        "growth, peak": (watch.peak_bytes - before) / MIB,
        "tracebacks": float(count_tracebacks(server.work)),
        "descriptors left": float(left),
    }, outcome


def _warm_up(server: Server, count: int) -> None:
    """Log in as many sessions as the attack will have, and close them."""
    crowd = IdleCrowd()
    try:
        crowd.log_in(server, count)
    finally:
        crowd.close()


def _converse(server: Server, attackers: Popen[bytes]) -> tuple[Summary, int]:
    """Let two clients talk during an attack; return also the number of lost messages."""
    with _listening(server) as listener, connect(server.host, server.port) as link:
        speaker = Probe(link, "speaker", ROOM, key=server.key)
        speaker.join()
        summary = speaker.run_while(lambda: attackers.poll() is None)
        deadline = time.monotonic() + SETTLE_S
        while listener.heard < summary.count and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        return summary, summary.count - listener.heard


@contextmanager
def _listening(server: Server) -> Iterator[Listener]:
    with connect(server.host, server.port) as link:
        listener = Listener(link, "listener", ROOM, key=server.key)
        listener.join()
        thread = Thread(target=listener.listen, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listener.is_leaving = True
            thread.join()


def _is_serving(server: Server, name: str) -> bool:
    """Return whether a new client can log in and send a message."""
    try:
        with connect(server.host, server.port) as link:
            line = Probe(link, name, f"#{name}", key=server.key)
            line.join()
            line.say()
            return line.run_while(lambda: False).count == 1
    except OSError:
        return False


def _resting_descriptors(server: Server) -> int:
    """Return the number of open files of a server without clients."""
    counts = []
    for _ in range(_LOOKS):
        time.sleep(_LOOK_S)
        counts.append(open_descriptors(server.pid))
    return min(counts)


def _settled_descriptors(server: Server, base: int) -> int:
    """Return the number of open files of a server after the last connections have ended."""
    deadline = time.monotonic() + SETTLE_S
    while (count := open_descriptors(server.pid)) > base and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return count


def count_tracebacks(directory: Path) -> int:
    """Count the tracebacks in all logs of a server, rotated logs included."""
    return sum(
        line.lstrip().startswith("Traceback")
        for log in directory.glob("*.log*")
        for line in log.read_text(errors="replace").splitlines()
    )
