#!lua flags=no-writes
-- Return all bans: the key of each, its end as a double (infinity for none) and its value.
-- KEYS  1 bans
--# fence
return redis.call('HGETALL', KEYS[1])
