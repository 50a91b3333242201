#!lua flags=allow-oom
-- Note that names are in rooms on this node; announce those that are there on no other node.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the most names of a room that announces; for each name in a room: the stream; the folded
--       name; the name
--# fence
--# streams
--# people
local limit = tonumber(ARGV[1])
for n = 2, #ARGV, 3 do
  local stream, key, name = unpack(ARGV, n, n + 2)
  local inside = name_of('w', stream)
  local found = redis.call('HGET', inside, key)
  local there = found and cmsgpack.unpack(found) or {name, {}}
  local nodes = {node}
  for _, each in ipairs(there[2]) do
    if each ~= node then  -- `quit` leaves out the dead
      nodes[#nodes + 1] = each
    end
  end
  -- First, so that the name leaves the room again if Redis refuses the rest.
  redis.call('SADD', name_of('p', node), stream .. '\0' .. key)
  redis.call('HSET', inside, key, cmsgpack.pack({there[1], nodes}))
  redis.call('ZADD', name_of('o', stream), 0, key)
  redis.call('ZADD', TAG .. 'peopled', 0, room_key(stream))
  local count = redis.call('HLEN', inside)
  if not found and count > 1 and count <= limit then
    announce(stream, key, {event = 'joined', name = name})
  end
end
return 1
