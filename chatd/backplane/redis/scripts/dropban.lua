#!lua flags=allow-oom
-- Lift a ban; return 1 if it was in force.
-- KEYS  1 bans
-- ARGV  1 the key
--# fence
redis.call('HINCRBY', RUN, 'work', 1)
local ban = redis.call('HGET', KEYS[1], ARGV[1])
if not ban then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
return struct.unpack('>d', ban) > now and 1 or 0
