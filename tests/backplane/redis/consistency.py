"""Whether all keys of a room agree."""

from chatd.backplane.redis import keys
from chatd.backplane.redis.packing import unpack
from tests.storage.stores import LOBBY


def check_lobby(server):
    """Check that all keys of the lobby agree; ann wrote all its messages."""
    found = server.command("HMGET", keys.key("m", LOBBY), "seq", "oldest", "bytes")
    if found[0] is None:
        assert server.command("KEYS", f"*:{LOBBY}") == []
        return
    seq, oldest, size = map(int, found)
    kept = server.command("LRANGE", keys.key("l", LOBBY), 0, -1)
    index = server.command("HGETALL", keys.key("i", LOBBY))
    assert len(kept) == seq - oldest + 1
    messages = [unpack(each, place) for place, each in enumerate(kept, oldest)]
    assert sum(len(message.content) for message in messages) == size
    keyed = dict(zip(index[::2], map(int, index[1::2]), strict=True))
    assert keyed == {f"ann\0{message.id}".encode(): message.seq for message in messages}
    is_listed = server.command("ZSCORE", keys.key("rooms"), "lobby") is not None
    assert is_listed is bool(kept)
    assert bool(server.command("SISMEMBER", keys.key("empty"), LOBBY)) is not bool(kept)
