#!lua flags=allow-oom
-- Remove some state of a node that is dead, or that stops. One node does that for all dead nodes.
-- KEYS  1 janitor: the node that clears; it expires  2 nodes
-- ARGV  1 how long a node clears at least, in milliseconds  2 the most names of a room that
--       announces  3 the most claims and names in rooms in one step  4 the node that stops, or ''
--       for the dead
-- Returns 1 if there may be more to clear.
--# fence
--# streams
--# people
local limit, step = tonumber(ARGV[2]), tonumber(ARGV[3])

-- Return some members of a set, about as many as a step has, and at least one if there are any.
local function some_of(set)
  local cursor, members = '0', {}
  repeat
    cursor, members = unpack(redis.call('SSCAN', set, cursor, 'COUNT', step))
  until #members > 0 or cursor == '0'
  return members
end

-- Clear some state of a node; each entry of `p` and `c` goes after its work, so that none is
-- forgotten if Redis refuses a command.
local function clear(id)
  alive[id] = false
  local inside, claims = name_of('p', id), name_of('c', id)
  for _, each in ipairs(some_of(inside)) do
    local stream, key = string.match(each, '^(.-)%z(.*)$')
    quit(id, stream, key, limit)
  end
  for _, each in ipairs(some_of(claims)) do
    local session, key = string.match(each, '^(.-)%z(.*)$')
    local found = redis.call('HGET', name_of('s', key), session)
    if found and cmsgpack.unpack(found)[1] == id then
      redis.call('HDEL', name_of('s', key), session)
    end
    redis.call('SREM', claims, each)
  end
  if redis.call('EXISTS', inside, claims) > 0 then
    return 1
  end
  redis.call('DEL', name_of('q', id), name_of('b', id))
  return 0
end

if ARGV[4] ~= '' then
  return clear(ARGV[4])
end
local elected = redis.call('GET', KEYS[1])
if elected and elected ~= node then
  return 0
end
redis.call('SET', KEYS[1], node, 'PX', ARGV[1])
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if not is_alive(id) then
    if clear(id) == 0 then
      redis.call('SREM', KEYS[2], id)
    end
    return 1
  end
end
return 0
