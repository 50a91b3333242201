#!lua flags=no-writes
-- Return all private rooms, in MessagePack.
-- KEYS  1 private
--# fence
return redis.call('HVALS', KEYS[1])
