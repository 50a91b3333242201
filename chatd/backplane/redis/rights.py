"""The rights that a user of Redis needs, and a check of them."""

from __future__ import annotations

from collections.abc import Collection

from chatd.backplane.redis import keys
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.running import run
from chatd.backplane.redis.script import load
from chatd.errors import StoreError

__all__ = ["CALLS", "IN_SCRIPTS", "check_rights"]

CALLS = (
    *("select", "info", "config|get", "script|load", "eval", "evalsha"),
    *("subscribe", "unsubscribe"),
)
"""The commands that a node runs itself, besides AUTH; it can do without `config|get`."""
IN_SCRIPTS = (
    *("time", "get", "set", "incr", "del", "exists", "pexpire", "publish"),
    *("hget", "hmget", "hset", "hdel", "hexists", "hincrby", "hgetall", "hkeys", "hvals", "hlen"),
    *("lindex", "llen", "lpop", "lrange", "ltrim", "rpop", "rpush"),
    *("sadd", "srem", "smembers", "sscan"),
    *("zadd", "zrem", "zrangebylex", "zrangebyscore"),
)
"""The commands that the scripts run, with the rights of the same user."""

_RIGHTS = load("rights")
_UNCHECKED = frozenset({"select", "config|get"})  # needed in some places only
_CHECKED = tuple(each for each in (*CALLS, *IN_SCRIPTS) if each not in _UNCHECKED)
_CHANNELLED = frozenset({"publish", "subscribe"})
_KEYED = frozenset(IN_SCRIPTS) - _CHANNELLED - {"time"}


async def check_rights(commands: Commands) -> None:
    """Check that the user of a connection has all rights.

    Raises:
        StoreError: Some are missing: the text names them as ACL SETUSER takes them. Or the
            connection is lost.
    """
    probes = keys.key("probe"), keys.channel("probe", "probe")
    refused, is_key_refused = await run(commands, _RIGHTS, 0, *probes, *_CHECKED)
    missing = _missing({_CHECKED[number - 1] for number in refused}, bool(is_key_refused))
    if missing:
        raise StoreError(f"its user lacks the rights {' '.join(missing)}")


def _missing(refused: Collection[str], is_key_refused: bool) -> list[str]:
    """Return the missing rights as ACL SETUSER takes them.

    Redis does not tell a refused command from a refused key or channel. So where it refuses all
    commands with keys, the keys are among the missing rights, and so with channels.
    """
    missing = []
    if _KEYED.issubset(refused):
        missing.append(f"~{keys.key('*')}")
        if is_key_refused:
            refused = [each for each in refused if each not in _KEYED]
    if _CHANNELLED.issubset(refused):
        missing.append(f"&{keys.key('*')}")
    return missing + [f"+{each}" for each in _CHECKED if each in refused]
