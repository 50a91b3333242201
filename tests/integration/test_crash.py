"""The daemon is killed at random moments, and nothing that it confirmed is lost or doubled."""

from __future__ import annotations

from twisted.internet import reactor

from tests.integration.crash import Talk


async def test_kill(tmp_path):
    """Four senders, bursts of 20, six kills: every receipt is in the history exactly once.

    Two readers hear the whole history once and in order: one that comes back after each kill, and
    one whose connection is also lost again and again while the others speak.
    """
    talk = Talk(reactor, tmp_path)
    talk.check(await talk.run(kills=6))
