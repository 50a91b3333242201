"""`Settings`: what an operator decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twisted.cred.checkers import ICredentialsChecker

from chatd.chat.policy import Policy
from chatd.server.attempts import BURST as LOGINS_PER_MINUTE
from chatd.server.factory import GRACE_S, HEARTBEAT_S
from chatd.server.limits import Limits
from chatd.storage.sqlite.store import Durability
from chatd.storage.values import Retention
from chatd.wire.envelope import MAX_CONTENT

__all__ = ["DEFAULT_ENDPOINT", "Settings"]

DEFAULT_ENDPOINT = "tcp:9999:interface=localhost"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides.

    Attributes:
        endpoints: Twisted server endpoint strings to listen on.
        key_file: Path of the key file, or None for no key.
        heartbeat_s: Seconds between two pings.
        max_content: Longest content of a message, in bytes.
        data: The directory in which what is said and who is banned is kept; None for memory.
        durability: What a power cut may cost, with `data`.
        keep: How much of each room is kept; None for the store's own measure.
        policy: What else is decided of the chat.
        password_file: Path of a password file, or None.
        checkers: What else checks who logs in. Without these and a password file nobody need.
        limits: What peers may take of the server.
        logins_per_minute: How often each address may try a password in a minute; as often at once.
        operator_file: Path of a file with names of those who may kick and ban, or None.
        socket_mode: The mode of UNIX sockets whose endpoint says none; None for 666.
        grace_s: How long saying goodbye to everyone may take, in seconds.
    """

    endpoints: Sequence[str] = (DEFAULT_ENDPOINT,)
    key_file: str | Path | None = None
    heartbeat_s: float = HEARTBEAT_S
    max_content: int = MAX_CONTENT
    data: str | Path | None = None
    durability: Durability = Durability.FULL
    keep: Retention | None = None
    policy: Policy = field(default_factory=Policy)
    password_file: str | Path | None = None
    checkers: Sequence[ICredentialsChecker] = ()
    limits: Limits = field(default_factory=Limits)
    logins_per_minute: int = LOGINS_PER_MINUTE
    operator_file: str | Path | None = None
    socket_mode: int | None = None
    grace_s: float = GRACE_S
