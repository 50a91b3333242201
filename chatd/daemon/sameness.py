"""`Sameness`: whether the daemons of a chat have the same key, accounts and operators."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec
from twisted.logger import Logger

from chatd.chat.names import fold

__all__ = ["Sameness"]

_CONTEXT = b"chatd backplane digest "
_KEY, _ACCOUNTS, _OPERATORS = "key file", "password file", "list of operators"


class Sameness:
    """Compares this daemon, as it was started, with the others of its chat, by digests.

    Redis has the digests. With a key, they tell nothing to anyone who does not have it. Without a
    key, they are plain hashes: anyone who can read Redis can check a guess of the operators, or
    of the whole password file.

    Args:
        key: The key of the chat, or None.
        accounts: The hashes of the accounts, by their names.
        operators: The names of the operators.
    """

    log = Logger()

    def __init__(
        self, key: bytes | None, accounts: Mapping[str, str], operators: Iterable[str]
    ) -> None:
        self._own = {
            _KEY: _digest(key, _KEY, ["none" if key is None else "one"]),
            _ACCOUNTS: _digest(key, _ACCOUNTS, [f"{n}\0{h}" for n, h in accounts.items()]),
            _OPERATORS: _digest(key, _OPERATORS, map(fold, operators)),
        }
        self._told: set[str] = set()

    def digests(self) -> bytes:
        """Return the digests, for the other daemons."""
        return msgspec.json.encode(self._own)

    def compare(self, others: Mapping[str, bytes]) -> None:
        """Warn of what another daemon has otherwise, once for each difference.

        Args:
            others: What the other daemons' `digests` returned, by daemon.
        """
        different: set[str] = set()
        for told in others.values():
            different |= self._differences(told)
        for what in sorted(different - self._told):
            self.log.warn(
                "another daemon of this chat has another {what}: give all daemons the same",
                what=what,
            )
        self._told = different

    def _differences(self, told: bytes) -> set[str]:
        try:
            theirs = msgspec.json.decode(told, type=dict[str, str])
        except msgspec.DecodeError:  # of another version
            return set()
        found = {what for what in self._own if theirs.get(what, self._own[what]) != self._own[what]}
        return {_KEY} if _KEY in found else found  # the key is in the other digests, too


def _digest(key: bytes | None, what: str, content: Iterable[str]) -> str:
    text = "\n".join([what, *sorted(content)])
    return hmac.new(key or b"", _CONTEXT + text.encode(), sha256).hexdigest()
