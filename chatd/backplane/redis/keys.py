"""The names of all keys and channels in Redis.

Every key has the tag `{chatd}`, so that a cluster keeps all of them in one slot, as scripts need.

==================  ======  ====================================================================
key                 type    value
==================  ======  ====================================================================
`layout`            string  the number of this layout of keys
`run`               hash    `generation`, the server's run id in `id`, `safe`, `work`, `epochs`;
                            `work:ID`: the work at the end of an earlier run
`nodes`             set     the ids of the nodes
`n:NODE`            hash    the lease of a node: `token` of its attachment, `details`; it expires
`rooms`             zset    the folded names of the rooms that keep a message; all scores are 0
`empty`             set     the streams that keep no message
`ages`              zset    the streams that keep a message, by the time of the oldest
`private`           hash    the private rooms, by folded name
`d:NAME`            zset    the other names in a name's direct streams with a kept message
`m:STREAM`          hash    `epoch`, `seq`, `oldest`, `bytes`, `name`, `topic`; `last`, the id of
                            the last message; `since`, the time of the oldest kept message
`l:STREAM`          list    the kept messages, the oldest first: `chatd.backplane.redis.packing`
`i:STREAM`          hash    author and id of each kept message → its place
`h:STREAM`          hash    the nodes that have the room open → the last place that it was told
`s:NAME`            hash    the sessions that have a name → node, spelling, account, away text
`c:NODE`            set     the claims of a node's sessions: session, NUL, name
`w:STREAM`          hash    the names in a room → spelling, nodes
`o:STREAM`          zset    the same names, in order; all scores are 0
`p:NODE`            set     the names in rooms on a node: stream, NUL, name
`peopled`           zset    the folded names of the rooms with names in them; all scores are 0
`away`              string  the number of the last away text
`bans`              hash    the bans, by key: the end, a double, and the value
`q:NODE`            list    the inbox of a node, the oldest word first
`b:NODE`            hash    `last`, the number of the last word in that inbox
`janitor`           string  the node that clears what dead nodes had; it expires
==================  ======  ====================================================================
"""

from __future__ import annotations

__all__ = ["LAYOUT", "channel", "key", "node_channel", "room_channel"]

LAYOUT = 1
"""The layout of the keys and values; a change that an older chatd cannot read raises it."""
_TAG = "{chatd}"


def key(kind: str, name: str | None = None) -> str:
    """Return a key: `key("rooms")`, `key("n", node)`."""
    return f"{_TAG}{kind}" if name is None else f"{_TAG}{kind}:{name}"


def node_channel(node: str) -> str:
    """Return the channel that only this node hears."""
    return f"node {node}"


def room_channel(stream: str) -> str:
    """Return the channel that the nodes hear that have a room's stream open."""
    return f"stream {stream}"


def channel(generation: str, name: str) -> str:
    """Return the name in Redis of a channel.

    Redis has the channels of all its databases in one space: the generation keeps them apart.
    """
    return f"{_TAG}c:{generation}:{name}"
