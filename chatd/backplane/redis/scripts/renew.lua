#!lua flags=allow-oom
-- Renew a node's lease, and publish a probe to the node's own channel.
-- KEYS  1 nodes
-- ARGV  1 the length of the lease in milliseconds  2 '1' if the server is safe  3 the node's channel
-- Returns the id and the details of each other node.
--# fence
--# others
redis.call('PEXPIRE', LEASE, ARGV[1])
redis.call('HSET', RUN, 'safe', ARGV[2])
redis.call('PUBLISH', ARGV[3], '')
return others(KEYS[1], node)
