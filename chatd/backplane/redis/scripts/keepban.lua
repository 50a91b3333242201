#!lua flags=allow-oom
-- Keep a ban in place of the ban with the same key, and drop the bans that have ended.
-- KEYS  1 bans
-- ARGV  1 the key  2 the end and the value
-- Returns the work.
--# fence
local kept = redis.call('HGETALL', KEYS[1])
for n = 1, #kept, 2 do
  if struct.unpack('>d', kept[n + 1]) <= now then
    redis.call('HDEL', KEYS[1], kept[n])
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HINCRBY', RUN, 'work', 1)
