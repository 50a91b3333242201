#!lua flags=no-writes
-- Count the names in rooms.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  the streams
--# fence
--# streams
local counts = {}
for n = 1, #ARGV do
  counts[n] = redis.call('HLEN', name_of('w', ARGV[n]))
end
return counts
