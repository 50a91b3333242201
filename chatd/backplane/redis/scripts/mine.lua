#!lua flags=no-writes
-- Find the claims and the names in rooms that Redis has of this node.
-- KEYS  of the fence only; all others have the same tag
-- Returns session, NUL, folded name of each claim; stream, NUL, folded name of each name in a room.
--# fence
--# streams
return {redis.call('SMEMBERS', name_of('c', node)), redis.call('SMEMBERS', name_of('p', node))}
