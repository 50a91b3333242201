#!lua flags=allow-oom
-- End a node's lease, because the node stops.
-- KEYS  1 nodes
--# fence
redis.call('DEL', LEASE)
redis.call('SREM', KEYS[1], node)
return 1
