"""Receipts, and their comparison with the history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

__all__ = ["Findings", "Ledger", "Receipt", "compare"]


class Receipt(NamedTuple):
    """A message's place, from a receipt or from the history.

    Attributes:
        room: The room.
        seq: The message's place in the room's order.
        id: The message's id, unique among all senders.
    """

    room: str
    seq: int
    id: str


@dataclass(frozen=True)
class Findings:
    """The number of faults, by kind.

    Attributes:
        missing: Confirmed messages that are not in the history.
        duplicates: Messages that are in the history more than once.
        misplaced: Confirmed messages that are in the history only at another place.
        gaps: Places in the history with no message, or with more than one message.
    """

    missing: int
    duplicates: int
    misplaced: int
    gaps: int


@dataclass
class Ledger:
    """The notes of all clients, each of which runs in its own thread.

    Attributes:
        receipts: The receipts.
        ends: The number of sessions, by the way they ended.
        refusals: The number of refused requests, by code.
    """

    receipts: list[Receipt] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def confirm(self, receipt: Receipt) -> None:
        """Note a receipt."""
        with self._lock:
            self.receipts.append(receipt)

    def session_ended(self, end: str) -> None:
        """Note the end of a session."""
        with self._lock:
            self.ends[end] += 1

    def refused(self, code: str) -> None:
        """Note a refusal."""
        with self._lock:
            self.refusals[code] += 1


def compare(receipts: Iterable[Receipt], history: Iterable[Receipt]) -> Findings:
    """Compare the receipts with the whole history."""
    seqs_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    seqs_in: dict[str, list[int]] = defaultdict(list)
    for room, seq, id in history:
        seqs_of[room, id].append(seq)
        seqs_in[room].append(seq)
    missing = misplaced = 0
    for room, seq, id in receipts:
        places = seqs_of.get((room, id))
        if places is None:
            missing += 1
        elif seq not in places:
            misplaced += 1
    return Findings(
        missing=missing,
        duplicates=sum(len(places) > 1 for places in seqs_of.values()),
        misplaced=misplaced,
        gaps=sum(len(set(range(1, max(seqs) + 1)) ^ set(seqs)) for seqs in seqs_in.values())
        + sum(len(seqs) - len(set(seqs)) for seqs in seqs_in.values()),
    )
