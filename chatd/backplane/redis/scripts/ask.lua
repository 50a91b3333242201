#!lua flags=allow-oom
-- Put a word into the inbox of every other living node, or of one node.
-- KEYS  1 nodes; all other keys have the same tag
-- ARGV  1 the word  2 the node, or '' for all
-- Returns the nodes that got it.
--# fence
--# streams
--# people
--# inbox
local asked = {}
for _, id in ipairs(ARGV[2] == '' and redis.call('SMEMBERS', KEYS[1]) or {ARGV[2]}) do
  if id ~= node and is_alive(id) then
    send(id, ARGV[1])
    asked[#asked + 1] = id
  end
end
return asked
