"""`Sameness`: whether the daemons of a chat have the same key, accounts and operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec
from twisted.logger import Logger

from chatd.errors import ChatError

__all__ = ["Sameness"]

_CONTEXT = b"chatd backplane digest\0"


class Sameness:
    """Compares this daemon with the others of its chat, by digests.

    Args:
        parts: Return the bytes of what must be the same, by their names for people. Each is a
            secret of 32 random bytes, a file with salted hashes, or no secret.
    """

    log = Logger()

    def __init__(self, parts: Mapping[str, Callable[[], bytes]]) -> None:
        self._parts = parts
        self._told: set[str] = set()

    def digests(self) -> bytes:
        """Return the digests, for the other daemons."""
        return msgspec.json.encode({name: self._digest(name) for name in self._parts})

    def compare(self, others: Mapping[str, bytes]) -> None:
        """Warn of what another daemon has otherwise, once for each difference.

        Args:
            others: What the other daemons' `digests` returned, by daemon.
        """
        different: set[str] = set()
        for told in others.values():
            try:
                theirs = msgspec.json.decode(told, type=dict[str, str])
            except msgspec.DecodeError:  # of another version
                continue
            for name in self._parts:
                if name in theirs and theirs[name] != self._digest(name):
                    different.add(name)
        for name in sorted(different - self._told):
            self.log.warn(
                "another daemon of this chat has another {what}: clients find a different chat "
                "there",
                what=name,
            )
        self._told = different

    def _digest(self, name: str) -> str:
        try:
            content = self._parts[name]()
        except ChatError:  # a file that cannot be read now; its own warning says so
            content = b""
        return sha256(_CONTEXT + name.encode() + b"\0" + content).hexdigest()
