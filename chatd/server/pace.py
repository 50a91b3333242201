"""`Pace`: slows down a client that takes more than its share."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.server.limits import Limits
from chatd.server.throttle import TokenBucket
from chatd.transport.timer import Timer

__all__ = ["MAX_ANSWERED", "MAX_COMMANDS_IN_TURN", "Pace"]

MAX_ANSWERED = 64
"""How many pings and faulty requests of a client are answered before other clients' turn."""
MAX_COMMANDS_IN_TURN = 8
"""How many commands of a client run before other clients' turn."""
LONG_COMMAND_S = 0.005
"""After a command that takes longer than this, in seconds, the client pauses."""
OTHERS_SHARE = 4
"""The pause takes so many times as long as the command; other clients have this time."""
MAX_CARRYING = 1024
"""The most messages that can be counted with the frames that carried them."""
TOKEN_BYTES = 1024
"""Number of received bytes that count like a message."""


class Pace:
    """Counts the messages, bytes and commands of one client, and makes it wait.

    Args:
        clock: The reactor, or a test's clock.
        limits: The limits of a client's rates.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self._clock = clock
        self._timer = Timer(clock)
        self._messages = TokenBucket(limits.message_rate)
        self._commands = TokenBucket(limits.command_rate)
        self._spent = 0.0  # message tokens, for the data since the last call of `throttle`
        self._answered = 0
        self._carrying = 0
        self._commands_in_turn = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the client waits now, for its rate or for other clients' turn."""
        return self._timer.is_running

    def count_data(self, length: int) -> None:
        """Count received bytes."""
        self._spent += length / TOKEN_BYTES

    def count_messages(self, count: int) -> None:
        """Count messages, except those that count as the frames that carried them."""
        if self._carrying:
            counted = min(count, self._carrying)
            self._carrying -= counted
            count -= counted
        self._spent += count

    def count_frames(self, empty_frames: int, short_frames: int) -> None:
        """Count frames of a WebSocket, each as a message.

        Args:
            empty_frames: The number of frames that carry no message.
            short_frames: The number of other short frames; as many messages are counted with them.
        """
        self._spent += empty_frames + short_frames
        self._carrying = min(self._carrying + short_frames, MAX_CARRYING)

    def count_answer(self) -> bool:
        """Count an answer to a ping or a bad request; return whether it is other clients' turn."""
        self._spent += 1
        self._answered += 1
        if self._answered < MAX_ANSWERED:
            return False
        self._answered = 0
        return True

    def begin_turn(self) -> None:
        """Note that other clients had their turn."""
        self._commands_in_turn = 0

    def throttle(self) -> Deferred[None] | None:
        """Return a Deferred that fires when a client over its rate may go on; None for now."""
        spent, self._spent = self._spent, 0.0
        wait_s = self._messages.spend(spent, self._clock.seconds())
        return self.wait(wait_s) if wait_s else None

    def count_command(self, took_s: float) -> Deferred[None] | None:
        """Count a command.

        Commands have their own rate: a few bytes can ask for a lot of work, or for a lot of bytes.

        Args:
            took_s: How long everything else waited for the command, in seconds.

        Returns:
            A Deferred that fires when the next command may run; None for at once.
        """
        self._commands_in_turn += 1
        wait_s = self._commands.spend(1, self._clock.seconds())
        if took_s > LONG_COMMAND_S:
            wait_s = max(wait_s, OTHERS_SHARE * took_s)
        if wait_s or self._commands_in_turn >= MAX_COMMANDS_IN_TURN:
            return self.wait(wait_s)
        return None

    def wait(self, delay_s: float = 0.0) -> Deferred[None]:
        """Return a Deferred that fires after a delay in seconds, or in the next turn.

        After `stop`, it never fires.
        """
        waited: Deferred[None] = Deferred()
        self._timer.start(delay_s, lambda: waited.callback(None))
        return waited

    def stop(self) -> None:
        """Stop waiting: the connection has ended."""
        self._timer.stop()
