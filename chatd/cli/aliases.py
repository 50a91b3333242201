"""Short names of the commands of the terminal client."""

from __future__ import annotations

__all__ = ["ALIASES", "full_name"]

ALIASES = {
    "j": "join",
    "part": "leave",
    "p": "leave",
    "close": "leave",
    "g": "goto",
    "list": "rooms",
    "names": "who",
    "n": "who",
    "w": "who",
    "wi": "whois",
    "m": "msg",
    "q": "query",
    "t": "topic",
    "nick": "name",
    "k": "kick",
    "b": "ban",
    "c": "clear",
    "bye": "quit",
    "exit": "quit",
}
"""The full name of each; they are those of irssi, but for `close`, which is WeeChat's, and `g`."""


def full_name(name: str) -> str:
    """Return the full name of a command that may have a short one."""
    return ALIASES.get(name, name)
