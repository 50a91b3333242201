#!lua flags=allow-oom
-- Change a private room, unless another node has changed it meanwhile.
-- KEYS  1 private
-- ARGV  1 the folded name  2 the room before, in MessagePack; '' if it is not private
--       3 the room after, likewise
-- Returns the work if the room was as in ARGV, and is changed; else 0.
--# fence

-- Return the fields of a room; those of a room that is not private are empty. The names have no
-- order in MessagePack, so they are compared as a set.
local function fields_of(packed)
  if not packed or packed == '' then
    return {name = '', count = 0, invited = {}}
  end
  local room, invited = cmsgpack.unpack(packed), {}
  for _, name in ipairs(room.invited) do
    invited[name] = true
  end
  return {name = room.name, count = #room.invited, invited = invited}
end

local kept, before = fields_of(redis.call('HGET', KEYS[1], ARGV[1])), fields_of(ARGV[2])
if kept.name ~= before.name or kept.count ~= before.count then
  return 0
end
for name in pairs(kept.invited) do
  if not before.invited[name] then
    return 0
  end
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return redis.call('HINCRBY', RUN, 'work', 1)
