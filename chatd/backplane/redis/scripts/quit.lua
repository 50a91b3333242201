#!lua flags=allow-oom
-- Note that a name is no longer in a room on this node; announce that if it is on no other node.
-- KEYS  1 m:STREAM; all other keys have the same tag
-- ARGV  1 the stream  2 the folded name  3 the most names of a room that announces
--       4 further fields of the EVENT, in MessagePack
--# fence
--# streams
--# people
quit(node, ARGV[1], ARGV[2], tonumber(ARGV[3]), cmsgpack.unpack(ARGV[4]))
return 1
