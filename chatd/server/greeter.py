"""`Greeter`: makes the server's side of each new connection, with its greeting."""

from __future__ import annotations

from uuid import uuid4

from twisted.internet.interfaces import IReactorTime

from chatd._version import __version__
from chatd.arguments import check_number
from chatd.connection.limits import HandshakeLimits
from chatd.connection.server import ServerConnection
from chatd.errors import ConfigurationError
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.wire.bounds import MAX_HEARTBEAT_S, MIN_HEARTBEAT_S
from chatd.wire.messages import SessionInit

__all__ = ["Greeter"]


class Greeter:
    """Greets clients.

    Args:
        keyring: The key of new connections.
        clock: The reactor, or a test's clock.
        heartbeat_s: Seconds between two pings.
        limits: Bounds a client until its session is established.

    Raises:
        ConfigurationError: The heartbeat is out of its range.
    """

    def __init__(
        self, keyring: Keyring, clock: IReactorTime, heartbeat_s: float, limits: Limits
    ) -> None:
        check_number("heartbeat_s", heartbeat_s)
        if not MIN_HEARTBEAT_S <= heartbeat_s <= MAX_HEARTBEAT_S:
            raise ConfigurationError(
                f"the heartbeat must be {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S:g} seconds, "
                f"not {heartbeat_s}"
            )
        self._keyring = keyring
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._handshake = HandshakeLimits(limits.handshake_timeout_s, limits.max_first_frame)

    def greet(self, *, takes_passwords: bool) -> ServerConnection:
        """Return the server's side of a new connection.

        Args:
            takes_passwords: Whether the client may send a password.
        """
        codec = self._keyring.codec
        init = SessionInit(
            session_id=str(uuid4()),
            server=f"chatd/{__version__}",
            heartbeat=self._heartbeat_s,
            max_content=codec.max_content,
            auth=takes_passwords,
        )
        channel = self._keyring.new_channel()
        return ServerConnection(codec, channel, init, self._clock.seconds(), self._handshake)
