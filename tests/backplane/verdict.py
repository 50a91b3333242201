"""The one order of a room: checks that its history, and all that its clients heard, agree."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatd import Message

__all__ = ["Order", "Receipt", "Stretch", "empty_parts"]


@dataclass(frozen=True)
class Receipt:
    """A receipt, and the epoch of the room in which it came.

    Attributes:
        message: The message as the server confirmed it.
        text: The text that was sent.
        epoch: The epoch.
    """

    message: Message
    text: str
    epoch: str


@dataclass
class Stretch:
    """The messages that a client heard without being told of a loss.

    Attributes:
        epoch: The epoch of the room.
        after: The `seq` after which it begins.
        messages: The messages.
    """

    epoch: str
    after: int
    messages: list[Message] = field(default_factory=list)


class Order:
    """The order of a room at the end of a run.

    Args:
        history: All messages that the room keeps.
        epoch: The epoch of the room.
        may_lose: Whether the room may lose messages, if it tells its clients.

    Attributes:
        violations: What is wrong.
    """

    def __init__(self, history: Sequence[Message], epoch: str, *, may_lose: bool) -> None:
        self._epoch = epoch
        self._may_lose = may_lose
        self._order = {(epoch, message.seq): message for message in history}
        self.violations: list[str] = []
        seqs = [message.seq for message in history]
        if place := _break(seqs, 0):
            self.violations.append(f"the history has {place}")
        ids = Counter((message.sender, message.id) for message in history)
        self.violations += [
            f"{id} is there {count} times" for id, count in ids.items() if count > 1
        ]

    def check_receipts(self, receipts: Sequence[Receipt]) -> None:
        """Check that each receipt is in the history, with its place and content."""
        for receipt in receipts:
            if receipt.epoch != self._epoch and self._may_lose:
                continue
            kept = self._order.get((self._epoch, receipt.message.seq))
            if kept != receipt.message or kept.text != receipt.text:
                self.violations.append(f"confirmed {receipt}, and kept {kept}")

    def check_heard(self, name: str, stretches: Sequence[Stretch]) -> None:
        """Check that a client heard the same order as all others, without gap or repeat."""
        if len(stretches) > 1 and not self._may_lose:
            self.violations.append(f"{name} was told of a loss: there was none")
        for stretch in stretches:
            if place := _break([each.seq for each in stretch.messages], stretch.after):
                self.violations.append(f"{name} heard {place}")
            for message in stretch.messages:
                other = self._order.setdefault((stretch.epoch, message.seq), message)
                if other != message:
                    self.violations.append(f"{name} heard {message}, others {other}")


def empty_parts(
    faults: Iterable[str], done: Mapping[str, int], receipts: int, heard: Mapping[str, int]
) -> list[str]:
    """Return why a run proves nothing: what did not take place in it.

    Args:
        faults: The kinds of faults that belong to the run.
        done: How often each kind took place.
        receipts: How many messages were confirmed.
        heard: How many messages each client heard.
    """
    empty = [f"no {kind} took place" for kind in faults if not done.get(kind)]
    if not receipts:
        empty.append("no message was confirmed")
    return empty + [f"{name} heard nothing" for name, count in heard.items() if not count]


def _break(seqs: Sequence[int | None], after: int) -> str | None:
    """Return the first place at which a sequence has a gap or a repeat, or None."""
    for before, seq in itertools.pairwise([after, *seqs]):
        if before is None or seq != before + 1:
            return f"{seq} after {before}"
    return None
