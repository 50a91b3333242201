#!lua flags=allow-oom
-- Note that names are no longer in rooms on this node; announce those that are there on no other
-- node.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the most names of a room that announces  2 further fields of the EVENTs, in MessagePack;
--       for each name in a room: the stream; the folded name; the name, or '' if it is not known
--# fence
--# streams
--# people
local limit, why = tonumber(ARGV[1]), cmsgpack.unpack(ARGV[2])
for n = 3, #ARGV, 3 do
  quit(node, ARGV[n], ARGV[n + 1], limit, why, ARGV[n + 2])
end
return 1
