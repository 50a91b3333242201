#!lua flags=allow-oom
-- Note that a name is in a room on this node; announce that if it is on no other node.
-- KEYS  1 m:STREAM; all other keys have the same tag
-- ARGV  1 the stream  2 the folded name  3 the name  4 the most names of a room that announces
--# fence
--# streams
--# people
local stream, key, name, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local inside = name_of('w', stream)
local found = redis.call('HGET', inside, key)
local there = found and cmsgpack.unpack(found) or {name, {}}
local nodes = {node}
for _, each in ipairs(there[2]) do
  if each ~= node and is_alive(each) then
    nodes[#nodes + 1] = each
  end
end
redis.call('HSET', inside, key, cmsgpack.pack({there[1], nodes}))
redis.call('ZADD', name_of('o', stream), 0, key)
redis.call('ZADD', TAG .. 'peopled', 0, room_key(stream))
redis.call('SADD', name_of('p', node), stream .. '\0' .. key)
local count = redis.call('HLEN', inside)
if not found and count > 1 and count <= limit then
  announce(stream, key, {event = 'joined', name = name})
end
return count
