"""Short names of the commands of the terminal client."""

from __future__ import annotations

__all__ = ["ALIASES", "MOST_USED", "full_name"]

ALIASES = {
    "j": "join",
    "part": "leave",
    "p": "leave",
    "close": "leave",
    "g": "goto",
    "win": "goto",
    "list": "rooms",
    "names": "who",
    "n": "who",
    "w": "who",
    "wi": "whois",
    "m": "msg",
    "q": "query",
    "t": "topic",
    "nick": "name",
    "lastlog": "search",
    "k": "kick",
    "b": "ban",
    "c": "clear",
    "?": "help",
    "bye": "quit",
    "exit": "quit",
}
"""The full name of each; they are those of irssi, but for `close`, which is WeeChat's, and `g`."""
MOST_USED = ("join", "part", "msg", "query", "names", "list", "topic", "quit", "help")
"""The names that people of IRC type most; the Tab key offers them first."""


def full_name(name: str) -> str:
    """Return the full name of a command that may have a short one."""
    return ALIASES.get(name, name)
