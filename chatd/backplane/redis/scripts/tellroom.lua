#!lua flags=allow-oom
-- Tell all nodes that have a room open of an EVENT.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 the push
--# fence
--# streams
redis.call('PUBLISH', channel_of(ARGV[1]), ARGV[2])
return 1
