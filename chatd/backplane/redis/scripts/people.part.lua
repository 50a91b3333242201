-- The functions of all scripts about people; this part comes after `streams`.
--
-- A claim of a name is {node, spelling, '1' for an account, number, text}: the last two are the
-- away text, or 0 and ''. Who is in a room is {spelling, {nodes}} for each folded name.
local EVENT_MARK = '\255\255'  -- as in `chatd.backplane.redis.packing`
local alive = {[node] = true}
local function is_alive(id)
  if alive[id] == nil then
    alive[id] = redis.call('EXISTS', name_of('n', id)) == 1
  end
  return alive[id]
end

-- Return the claims of a folded name by sessions of living nodes, and their number; drop the
-- others if asked to.
local function claims_of(key, drops)
  local claims, count = {}, 0
  local found = redis.call('HGETALL', name_of('s', key))
  for n = 1, #found, 2 do
    local claim = cmsgpack.unpack(found[n + 1])
    if is_alive(claim[1]) then
      claims[found[n]] = claim
      count = count + 1
    elseif drops then
      redis.call('HDEL', name_of('s', key), found[n])
    end
  end
  return claims, count
end

-- Save a claim; `c` has it first, so that the node gives it up if Redis refuses the rest.
local function save_claim(key, session, claim)
  redis.call('SADD', name_of('c', claim[1]), session .. '\0' .. key)
  redis.call('HSET', name_of('s', key), session, cmsgpack.pack(claim))
end

-- Return whether a session may claim a folded name: nobody has it, or its account's sessions have.
local function is_free(claims, count, is_account)
  if count == 0 or is_account ~= '1' then
    return count == 0
  end
  for _, claim in pairs(claims) do
    if claim[3] ~= '1' then
      return false
    end
  end
  return true
end

-- Return the claim with the newest away text, or else any; nil without claims.
local function newest(claims)
  local best
  for _, claim in pairs(claims) do
    if not best or claim[4] > best[4] then
      best = claim
    end
  end
  return best
end

local function room_key(stream)
  return string.match(stream, '^room (.*)') or stream
end

-- Tell all nodes that have a room open of an EVENT, except sessions with a folded name.
local function announce(stream, but, event)
  event.room = redis.call('HGET', name_of('m', stream), 'name') or ''
  local word = EVENT_MARK .. cmsgpack.pack({stream, but, event})
  redis.call('PUBLISH', channel_of(stream), word)
end

-- Return whether an entry of a room has a node, and the other nodes in it that are alive.
local function split(there, id)
  local was_there, others = false, {}
  for _, each in ipairs(there[2]) do
    if each == id then
      was_there = true
    elseif is_alive(each) then
      others[#others + 1] = each
    end
  end
  return was_there, others
end

-- Take a folded name on a node out of a room; the members are told of it as `name`, if given.
--
-- Redis takes nothing back when it refuses a command in the middle. So `p` loses the name last: until
-- then, the node or the node that clears quits the room again.
local function quit(id, stream, key, limit, why, name)
  local inside = name_of('w', stream)
  local found = redis.call('HGET', inside, key)
  local there = found and cmsgpack.unpack(found) or {'', {}}
  local was_there, others = split(there, id)
  if was_there and #others > 0 then
    redis.call('HSET', inside, key, cmsgpack.pack({there[1], others}))
  elseif was_there then
    local count = redis.call('HLEN', inside)
    redis.call('ZREM', name_of('o', stream), key)
    redis.call('HDEL', inside, key)
    if count == 1 then
      redis.call('ZREM', TAG .. 'peopled', room_key(stream))
    elseif count <= limit then
      local event = why or {}
      event.event, event.name = 'left', name ~= '' and name or there[1]
      announce(stream, '', event)
    end
  end
  redis.call('SREM', name_of('p', id), stream .. '\0' .. key)
end
