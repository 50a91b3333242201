#!lua
-- Renew a node's lease, and publish a probe to the node's own channel.
-- KEYS  the fence's only
-- ARGV  1 the length of the lease in milliseconds  2 '1' if the server is safe  3 the node's channel
--# fence
redis.call('PEXPIRE', LEASE, ARGV[1])
redis.call('HSET', RUN, 'safe', ARGV[2])
redis.call('PUBLISH', ARGV[3], '')
return 1
