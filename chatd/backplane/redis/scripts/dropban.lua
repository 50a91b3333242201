#!lua flags=allow-oom
-- Lift a ban.
-- KEYS  1 bans
-- ARGV  1 the key
-- Returns 1 if the ban was in force, else 0; the work, or 0 if there was no ban.
--# fence
local ban = redis.call('HGET', KEYS[1], ARGV[1])
if not ban then
  return {0, 0}
end
redis.call('HDEL', KEYS[1], ARGV[1])
local work = redis.call('HINCRBY', RUN, 'work', 1)
return {struct.unpack('>d', ban) > now and 1 or 0, work}
