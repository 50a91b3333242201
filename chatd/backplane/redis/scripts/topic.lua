#!lua
-- Set the topic of a room, and tell all nodes that have the room open, in the order in which topics
-- are set; begin the room's stream if it does not exist.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 the highest age in seconds  3 the topic  4 the push, or '' for none
-- Returns the work.
--# fence
--# streams
local s = get(ARGV[1], now - ARGV[2])
redis.call('HSET', s.m, 'topic', ARGV[3])
local work = redis.call('HINCRBY', RUN, 'work', 1)
if ARGV[4] ~= '' then
  redis.call('PUBLISH', channel_of(ARGV[1]), ARGV[4])
end
return work
