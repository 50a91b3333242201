#!lua flags=allow-oom
-- Forget a private room.
-- KEYS  1 private
-- ARGV  1 the folded name
--# fence
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', RUN, 'work', 1)
return 1
