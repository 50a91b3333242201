#!lua
-- Keep a ban, in place of the ban with the same key.
-- KEYS  1 bans
-- ARGV  1 the key  2 the end and the value
--# fence
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', RUN, 'work', 1)
return 1
