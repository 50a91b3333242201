"""The backplane in Redis: `RedisBackplane`, which is composed of parts that share a `Link`.

===================  ===============================================================================
module               what it does
===================  ===============================================================================
`backplane`          puts the parts together
`link`               keeps the node attached: attempts, heartbeats, calls that wait; with
                     `attachment`, `generation`, `waiting`, `channels` and `times`
`connections`        the two connections, and `Dial`, which makes them
`script`, `running`  the Lua scripts in `scripts/`, and how they are run
`keys`               the names of all keys and channels
`streams`            the store of messages; with `batch`, `packing`, and `openrooms` and `merge`,
                     through which every message of an open room passes
`people`             the state of people at each attachment; with `names`, `presence`, and `words`,
                     the messages between nodes
`privaterooms`       the private rooms
`bans`               the bans
`address`            the URL of Redis; with `dialling`, which connects, and `servercheck`, which
                     checks the server before the start
===================  ===============================================================================

A part calls `Link.call` with a script that has the fence (`--# fence`). A part that works at each
attachment provides `Part`, and is in `Link.parts`; at that time it calls the attachment itself.
"""
