#!lua
-- Set the topic of a room; begin its stream if it does not exist.
-- KEYS  1 m:STREAM; all others of the stream have the same tag
-- ARGV  1 the stream  2 the highest age in seconds  3 the topic
--# fence
--# streams
local s = get(ARGV[1], now - ARGV[2])
redis.call('HSET', s.m, 'topic', ARGV[3])
return 1
