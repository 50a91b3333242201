"""Runs of messages that follow each other as fast as the server takes them."""

from __future__ import annotations

from collections.abc import Callable

from bench.dialects.base import PAYLOAD_BYTES, payload
from bench.load import Crowd, Sample, pipeline

__all__ = ["pipelined"]

CHUNK = 250
"""Number of messages that a speaker writes to its socket at once."""
WINDOW = 750
"""Number of messages that may be under way to a room before the next chunk: InspIRCd reads no more
than 131,068 bytes at once, and the rest only a second later."""


def pipelined(crowd: Crowd, pid: int, seconds: float) -> Callable[[], Sample]:
    """Find the number of messages for a run's length, and return a function that sends as many.

    Args:
        crowd: The speakers and members.
        pid: The server's process.
        seconds: The approximate length of a run, in seconds.
    """
    content = payload(PAYLOAD_BYTES)
    flows = len(crowd.flows)

    def run(messages: int) -> Sample:
        return pipeline(crowd, pid, messages=messages, chunk=CHUNK, window=WINDOW, content=content)

    trial = run(max(CHUNK, 2 * WINDOW // flows))
    for _ in range(2):
        rate = trial.messages / trial.seconds / flows
        messages = max(CHUNK, round(rate * seconds))
        trial = run(max(CHUNK, messages // 4))
    return lambda: run(messages)
