"""A soak: sessions come and go for a long time, then the daemon and its history are checked.

In the first third, the daemon is stopped and restarted on its data during the conversation. When
all clients have left, the daemon has done everything once, and its memory is the base. After the
rest, when all clients have left again, it should hold no more than the base.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from bench.counts import Counts
from bench.dialects.base import connect
from bench.figures import Effort, Figures, Note, add
from bench.peers import Peer, Server
from bench.process import MIB, open_descriptors, resident_bytes
from bench.receipts import Ledger, Receipt, compare
from bench.soak_clients import ROOMS, SoakClient, SoakLine
from bench.soaked import Daemon
from chatd.wire.messages import ChatHeader

__all__ = ["Rest", "read_history", "soak"]

CLIENTS = 40
"""Approximate number of clients at once."""
SETTLE_S = 20.0
"""Time that the last sessions may take to end, in seconds."""
PAGE = 500
"""Length of a page of history, in messages."""
_LOOK_S = 0.1


class _Reader(SoakLine):
    """Reads the history.

    Attributes:
        history: The messages of the history, in order.
    """

    history: list[Receipt]

    def message_received(self, header: ChatHeader) -> None:
        """See `SoakLine`."""
        assert header.room is not None
        assert header.seq is not None
        self.history.append(Receipt(header.room, header.seq, header.id))


@dataclass(frozen=True)
class Rest:
    """The objects, files and memory of a daemon without clients.

    Attributes:
        counts: The daemon's own counts.
        descriptors: The number of its open files.
        before_bytes: Its memory before it counted, freed memory included, in bytes.
        resident_bytes: Its memory afterwards, in bytes.
    """

    counts: Counts
    descriptors: int
    before_bytes: int
    resident_bytes: int

    def beyond(self, base: Rest) -> dict[str, int]:
        """Return the growth since the base, by kind."""
        before, after = base.counts, self.counts
        more = {
            "descriptors": self.descriptors - base.descriptors,
            "timers": after.timers - before.timers,
            "loops": after.loops - before.loops,
            "sessions": after.sessions - before.sessions,
            "protocols": after.protocols - before.protocols,
            "rooms": after.rooms - before.rooms,
            "deferreds": after.deferreds - before.deferreds,
        }
        return {what: max(count, 0) for what, count in more.items()}


def soak(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Let sessions come and go, then check the daemon and the messages that it confirmed."""
    figures: Figures = {}
    for peer in peers:
        ledger = Ledger()
        with TemporaryDirectory(prefix="bench-") as kept:
            daemon = Daemon(peer, Path(kept))
            try:
                taken = _soak(daemon, effort.soak_s, ledger)
            finally:
                daemon.close()
        for quantity, figure in taken.items():
            add(figures, quantity, peer, figure)
        for what, counted in (("sessions", ledger.ends), ("refusals", ledger.refusals)):
            told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counted.items()))
            note(f"{peer.label}: {what} of the soak: {told or 'none'}")
    return figures


def _soak(daemon: Daemon, seconds: float, ledger: Ledger) -> dict[str, float]:
    server = daemon.start()
    read_history(server)  # the history is empty: the daemon only does everything once
    base = _rest(daemon)

    def begin_again() -> None:
        time.sleep(seconds / 6)
        daemon.end()
        daemon.start()
        time.sleep(seconds / 6)

    _connect_again_and_again(daemon, ledger, range(CLIENTS), begin_again)
    warm = _rest(daemon, base)
    others = range(CLIENTS, 2 * CLIENTS)
    _connect_again_and_again(daemon, ledger, others, lambda: time.sleep(seconds * 2 / 3))
    end = _rest(daemon, base)
    assert daemon.server is not None
    findings = compare(ledger.receipts, read_history(daemon.server))
    daemon.end()
    return {
        "receipts": float(len(ledger.receipts)),
        "missing": float(findings.missing),
        "duplicates": float(findings.duplicates),
        "misplaced": float(findings.misplaced),
        "gaps": float(findings.gaps),
        "memory": end.resident_bytes / MIB,
        "memory, with what is free": end.before_bytes / MIB,
        "growth": (end.resident_bytes - warm.resident_bytes) / MIB,
        "objects more": float(end.counts.objects - warm.counts.objects),
        **{f"{what} left": float(count) for what, count in end.beyond(base).items()},
        "tracebacks": float(daemon.tracebacks),
    }


def _connect_again_and_again(
    daemon: Daemon, ledger: Ledger, numbers: Sequence[int], meanwhile: Callable[[], None]
) -> None:
    """Let clients come and go within the context, then wait until all have left."""
    is_closing = Event()
    with ThreadPoolExecutor(len(numbers)) as pool:
        runs = [
            pool.submit(SoakClient(number, lambda: daemon.server, ledger, is_closing).run)
            for number in numbers
        ]
        try:
            meanwhile()
        finally:
            is_closing.set()
    for run in runs:
        run.result()


def _rest(daemon: Daemon, base: Rest | None = None) -> Rest:
    """Wait until a daemon has no clients and holds no more than the base; return what it holds."""
    deadline = time.monotonic() + SETTLE_S
    first = _look_at(daemon)
    while True:
        rest = replace(_look_at(daemon), before_bytes=first.before_bytes)
        is_settled = rest.counts.sessions == 0 and rest.counts.protocols == 0
        if base is not None:
            is_settled = not any(rest.beyond(base).values())
        if is_settled or time.monotonic() > deadline:
            return rest
        time.sleep(_LOOK_S)


def _look_at(daemon: Daemon) -> Rest:
    assert daemon.server is not None
    pid = daemon.server.pid
    before_bytes = resident_bytes(pid)
    counts = daemon.ask()
    return Rest(counts, open_descriptors(pid), before_bytes, resident_bytes(pid))


def read_history(server: Server) -> list[Receipt]:
    """Read the whole history of the rooms, page by page."""
    with connect(server.host, server.port) as link:
        reader = _Reader(link, "reader", ROOMS[0], key=server.key, ledger=Ledger(), waiting={})
        reader.history = []
        reader.join()
        for room in ROOMS:
            reader.ask("join", room=room)
            after, is_complete = 0, False
            while not is_complete:
                told = reader.ask("history", room=room, after=after, limit=PAGE)
                is_complete = bool(told["complete"])
                after = reader.history[-1].seq if told["count"] else after
        return reader.history
