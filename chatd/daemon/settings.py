"""`Settings`: the operator's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twisted.cred.checkers import ICredentialsChecker

from chatd.chat.policy import Policy
from chatd.daemon.stores import StoreSettings
from chatd.server.attempts import BURST as LOGINS_PER_MINUTE
from chatd.server.factory import GRACE_S, HEARTBEAT_S
from chatd.server.limits import Limits
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["DEFAULT_ENDPOINT", "Settings"]

DEFAULT_ENDPOINT = "tcp:9999:interface=localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StoreSettings):
    """The operator's settings, with those of the store.

    Attributes:
        endpoints: Twisted server endpoint strings to listen on.
        web: Twisted server endpoint strings for browsers.
        web_origins: More origins whose pages may connect.
        web_proxies: The proxies in front of `web` that name their clients.
        key_file: Path of the key file, or None for no key.
        heartbeat_s: Seconds between two pings.
        max_content: Longest content of a message, in bytes.
        policy: The other settings of the chat.
        password_file: Path of a password file, or None.
        checkers: Further checkers of logins. Without any and without a password file, clients need
            no accounts.
        limits: The limits for peers.
        logins_per_minute: How many wrong passwords each address may try a minute, and at once.
        operator_file: Path of a file with the names of operators, or None.
        socket_mode: The mode of UNIX sockets whose endpoint gives none; None for 666.
        grace_s: How long saying goodbye may take, in seconds.
    """

    endpoints: Sequence[str] = (DEFAULT_ENDPOINT,)
    web: Sequence[str] = ()
    web_origins: Sequence[str] = ()
    web_proxies: Sequence[str] = ()
    key_file: str | Path | None = None
    heartbeat_s: float = HEARTBEAT_S
    max_content: int = MAX_CONTENT
    policy: Policy = field(default_factory=Policy)
    password_file: str | Path | None = None
    checkers: Sequence[ICredentialsChecker] = ()
    limits: Limits = field(default_factory=Limits)
    logins_per_minute: int = LOGINS_PER_MINUTE
    operator_file: str | Path | None = None
    socket_mode: int | None = None
    grace_s: float = GRACE_S
