"""The terminal client's commands for kicks and bans."""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from math import ceil
from typing import Any

from chatd.chat.moderation import END_OF_TIME
from chatd.chat.names import check_name
from chatd.cli.arguments import checked
from chatd.cli.days import date_and_time
from chatd.cli.notdone import NotDone
from chatd.cli.talk import Talk

__all__ = ["BAN", "FOR_GOOD", "KICK", "ban", "bans", "kick", "unban"]

FOR_GOOD = "-"
"""The duration of a ban that does not end."""
BAN = f"DURATION is such as 10m, 2h or 7d; {FOR_GOOD} or none: for good"
KICK = "NAME is out of all rooms then, and may come back; /ban prevents that"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NEAR_S = 120
"""If a ban ends earlier than this, in seconds, the minute of its end says too little."""
_MAX_DIGITS = 12
"""A number with more digits is beyond the end of time, also in seconds."""
_DURATION = re.compile(rf"([0-9]+)([{''.join(_SECONDS)}])")


async def kick(talk: Talk, target: str, reason: str = "") -> None:
    """End all sessions of a name or an address."""
    kicked = await talk.client.kick(**_target(target), reason=reason)
    talk.display.note(f"{_sessions(kicked)} of {target} ended")


async def ban(talk: Talk, target: str, duration: str = FOR_GOOD, reason: str = "") -> None:
    """Ban a name or an address.

    Raises:
        NotDone: The target or the duration is not allowed, or there is no connection.
    """
    until = None if duration == FOR_GOOD else _end(duration)
    kicked = await talk.client.ban(**_target(target), until=until, reason=reason)
    talk.known.ban(target)
    for_how_long = "for good" if duration == FOR_GOOD else f"for {duration}"
    talk.display.note(f"{target} is banned {for_how_long}; {_sessions(kicked)} ended")


async def unban(talk: Talk, target: str) -> None:
    """Lift a ban."""
    await talk.client.unban(**_target(target))
    talk.known.unban(target)
    talk.display.note(f"{target} is no longer banned")


async def bans(talk: Talk) -> None:
    """List the bans in force."""
    found = await talk.client.bans()
    talk.known.banned = [ban.name or ban.address or "" for ban in found]
    if not found:
        talk.display.note("nobody is banned")
    for ban in found:
        why = f": {ban.reason}" if ban.reason else ""
        until = _until(ban.until)
        talk.display.note(f"{ban.name or ban.address} is banned {until}, by {ban.by}{why}")


def _until(end: float | None) -> str:
    """Return the end of a ban, in words; if it is near, in seconds."""
    if end is None:
        return "for good"
    left_s = max(ceil(end - time.time()), 1)
    if left_s < _NEAR_S:
        return f"for {left_s} more second{'s' if left_s != 1 else ''}"
    return f"until {date_and_time(end)}"


def _target(who: str) -> dict[str, Any]:
    """Return the field that names the target of a kick or a ban: `name` or `address`."""
    if who.startswith("uid:"):
        return {"address": who}
    try:
        return {"address": str(ip_address(who))}
    except ValueError:
        if re.fullmatch(r"[0-9a-fA-F]*[.:/][0-9a-fA-F.:/]*", who):
            raise NotDone(f"{who} is not an address; networks cannot be banned") from None
        return {"name": checked(check_name, who)}


def _end(duration: str) -> float:
    """Return when a ban of a duration ends, in Unix seconds."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise NotDone(
            f"{duration} is not a duration; write it like 10m, 2h or 7d, or {FOR_GOOD} for good; "
            "a reason comes after it"
        )
    number = match[1].lstrip("0") or "0"
    is_short = len(number) <= _MAX_DIGITS
    until = time.time() + int(number) * _SECONDS[match[2]] if is_short else END_OF_TIME
    if until >= END_OF_TIME:
        raise NotDone(
            f"{duration} is too long: a ban ends before the year 10000, or with {FOR_GOOD} never"
        )
    return until


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number or 'no'} sessions"
