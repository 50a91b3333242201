"""An attack: waves of thousands of hostile connections at once.

A worker (see `bench.worker`): its task is an `Attack`, its answer an `Outcome`.
"""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Sequence

import msgspec

from bench.attackers import KINDS, Attack, Attacker, Dripper
from bench.worker import do_task

__all__ = ["Outcome", "attack"]

_READ_BYTES = 65536
_WAIT_S = 0.05


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an attack.

    Attributes:
        connected: The number of attackers that received anything from the server.
        outlasted: The number of attackers of each kind still connected at the end of their wave.
    """

    connected: int
    outlasted: dict[str, int]


class _Wave:
    """Attackers that are connected at the same time.

    Args:
        attackers: The attackers.
        address: The address of the server.
    """

    def __init__(self, attackers: Sequence[Attacker], address: tuple[str, int]) -> None:
        self._selector = selectors.DefaultSelector()
        self._ends = select.poll()
        self._idle: dict[int, Attacker] = {}  # neither reading nor writing, by descriptor
        self._drippers = [each for each in attackers if isinstance(each, Dripper)]
        self.left = dict.fromkeys(attackers)
        for attacker in attackers:
            attacker.link.connect_ex(address)
            self._selector.register(attacker.link, selectors.EVENT_READ, attacker)

    def run(self, seconds: float) -> None:
        """Run the attackers for some seconds, or until all are gone."""
        end = time.monotonic() + seconds
        while self.left and (now := time.monotonic()) < end:
            for key, ready in self._selector.select(_WAIT_S):
                self._act(key.data, ready)
            for dripper in self._drippers:
                dripper.tick(now)
                if dripper.to_send and dripper in self.left:
                    self._flush(dripper)
            for descriptor, _ in self._ends.poll(0):
                self._end(self._idle[descriptor])

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for attacker in self.left:
            attacker.link.close()

    def _act(self, attacker: Attacker, ready: int) -> None:
        if ready & selectors.EVENT_READ and attacker.is_reading:
            try:
                data = attacker.link.recv(_READ_BYTES)
            except ConnectionError:
                data = b""
            if not data:
                self._end(attacker)
                return
            attacker.receive(data)
            attacker.has_heard = True
        self._flush(attacker)

    def _flush(self, attacker: Attacker) -> None:
        """Write as much as the socket takes, and register for the next event."""
        try:
            while attacker.to_send:
                attacker.to_send = attacker.to_send[attacker.link.send(attacker.to_send) :]
                if not attacker.to_send:
                    attacker.sent()
        except BlockingIOError:
            pass
        except ConnectionError:
            attacker.is_over = True
        if attacker.is_over:
            self._end(attacker)
            return
        awaited = selectors.EVENT_READ if attacker.is_reading else 0
        if attacker.to_send:
            awaited |= selectors.EVENT_WRITE
        if awaited:
            self._selector.modify(attacker.link, awaited, attacker)
        else:
            self._selector.unregister(attacker.link)
            self._idle[attacker.link.fileno()] = attacker
            self._ends.register(attacker.link, 0)  # reports only the connection's end

    def _end(self, attacker: Attacker) -> None:
        if self._idle.pop(attacker.link.fileno(), None) is None:
            self._selector.unregister(attacker.link)
        else:
            self._ends.unregister(attacker.link)
        del self.left[attacker]
        attacker.hang_up()


def attack(task: Attack) -> Outcome:
    """Send all waves, and return the outcome."""
    connected, outlasted = 0, dict.fromkeys((kind.__name__ for kind in KINDS), 0)
    for first in range(0, task.count, task.wave):
        numbers = range(first, min(first + task.wave, task.count))
        attackers = [KINDS[number % len(KINDS)](number, task) for number in numbers]
        wave = _Wave(attackers, (task.host, task.port))
        try:
            wave.run(task.hold_s)
            for attacker in wave.left:
                outlasted[type(attacker).__name__] += 1
        finally:
            wave.close()
        connected += sum(attacker.has_heard for attacker in attackers)
    return Outcome(connected=connected, outlasted=outlasted)


if __name__ == "__main__":
    do_task(Attack, attack)
