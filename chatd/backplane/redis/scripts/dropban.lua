#!lua flags=allow-oom
-- Lift a ban; return 1 if there was a ban.
-- KEYS  1 bans
-- ARGV  1 the key
--# fence
redis.call('HINCRBY', RUN, 'work', 1)
return redis.call('HDEL', KEYS[1], ARGV[1])
