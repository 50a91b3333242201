#!lua flags=allow-oom
-- Note that this node no longer has a room open; end the room if no node has and it keeps nothing.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 the highest age in seconds
--# fence
--# streams
local s = find(ARGV[1], now - ARGV[2])
if s then
  redis.call('HDEL', s.h, node)
  drop_unheld(s)
end
return 1
