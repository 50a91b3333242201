"""`Pace`: how fast one client is served, so that all others have their turns."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.server.limits import Limits
from chatd.server.throttle import TokenBucket
from chatd.transport.timer import Timer

__all__ = ["MAX_ANSWERED", "MAX_COMMANDS_IN_TURN", "Pace"]

MAX_ANSWERED = 64
"""How many pings, pongs, errors and faulty requests of one client come before others have their
turn."""
MAX_COMMANDS_IN_TURN = 8
"""How many commands of one client are done before others have their turn."""
LONG_COMMAND_S = 0.005
"""A command that took longer is followed by a pause, in seconds."""
OTHERS_SHARE = 4
"""How many times as long that pause is: others have so much of the time."""
TOKEN_BYTES = 1024
"""So many bytes that arrive count as much as a message."""


class Pace:
    """Counts what one client sends and asks, and says how long it is to wait.

    Args:
        clock: The reactor, or a test's clock.
        limits: The rates that a client may keep up.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self._clock = clock
        self._timer = Timer(clock)
        self._messages = TokenBucket(limits.message_rate)
        self._commands = TokenBucket(limits.command_rate)
        self._spent = 0.0  # tokens of messages, by what arrived since `throttle` was last asked
        self._answered = 0
        self._commands_in_turn = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the client waits now, for its own rate's sake or for others to have a turn."""
        return self._timer.is_running

    def count_data(self, length: int) -> None:
        """Count bytes that arrived."""
        self._spent += length / TOKEN_BYTES

    def count_message(self) -> None:
        """Count a message."""
        self._spent += 1

    def count_answer(self) -> bool:
        """Count a frame that is no message; return whether others are due a turn now."""
        self._spent += 1
        self._answered += 1
        if self._answered < MAX_ANSWERED:
            return False
        self._answered = 0
        return True

    def begin_turn(self) -> None:
        """Note that others had their turn."""
        self._commands_in_turn = 0

    def throttle(self) -> Deferred[None] | None:
        """Return a Deferred for when a client that sent more than its share may go on, or None."""
        spent, self._spent = self._spent, 0.0
        wait_s = self._messages.spend(spent, self._clock.seconds())
        return self.wait(wait_s) if wait_s else None

    def count_command(self, took_s: float) -> Deferred[None] | None:
        """Count a command; return a Deferred for when the next may be done, or None for at once.

        A few bytes can ask for a lot of work, or for a lot of bytes.

        Args:
            took_s: How long everything else waited for it, in seconds.
        """
        self._commands_in_turn += 1
        wait_s = self._commands.spend(1, self._clock.seconds())
        if took_s > LONG_COMMAND_S:
            wait_s = max(wait_s, OTHERS_SHARE * took_s)
        if wait_s or self._commands_in_turn >= MAX_COMMANDS_IN_TURN:
            return self.wait(wait_s)
        return None

    def wait(self, delay_s: float = 0.0) -> Deferred[None]:
        """Return a Deferred for the next turn, or for later; after `stop` it never fires."""
        waited: Deferred[None] = Deferred()
        self._timer.start(delay_s, lambda: waited.callback(None))
        return waited

    def stop(self) -> None:
        """Forget who waits: the connection is gone."""
        self._timer.stop()
