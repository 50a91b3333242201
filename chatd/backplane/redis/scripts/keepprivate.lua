#!lua
-- Keep a private room, in place of the room with the same folded name.
-- KEYS  1 private
-- ARGV  1 the folded name  2 the room in MessagePack
--# fence
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', RUN, 'work', 1)
return 1
