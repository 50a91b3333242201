-- The functions of all scripts of streams; this part comes after the fence.
--
-- A kept message is one string, as in `chatd.backplane.redis.packing`: its time (8 bytes, a double),
-- the length of its content (4), the length (2) of the key that follows: author, NUL, id; then its
-- other fields and its content in MessagePack, which no script reads.
local TAG = string.match(RUN, '^{.-}')
local PREFIX = TAG .. 'c:' .. generation .. ':'  -- of channels, as in `chatd.backplane.redis.keys`
local CHUNK = 1000  -- arguments of one command; a Lua stack takes some 8,000
local LEAST, MOST = 8, 100  -- messages that `trim` reads at once

local function name_of(kind, name)
  return TAG .. kind .. ':' .. name
end

-- Return the channel of a room's stream.
local function channel_of(stream)
  return PREFIX .. 'stream ' .. stream
end

local function time_size_key(element)
  local time, size, length, at = struct.unpack('>dI4I2', element)
  return time, size, string.sub(element, at, at + length - 1)
end

local function in_chunks(command, key, values, step)
  for first = 1, #values, step do
    redis.call(command, key, unpack(values, first, math.min(first + step - 1, #values)))
  end
end

-- List a stream, or not, among those with a kept message.
local function index(s, is_kept)
  local room = string.match(s.stream, '^room (.*)')
  local one, other = string.match(s.stream, '^direct (.-) (.*)')
  local function note(set, member)
    if is_kept then
      redis.call('ZADD', set, 0, member)
    else
      redis.call('ZREM', set, member)
    end
  end
  if room then
    note(TAG .. 'rooms', room)
  elseif one then
    note(name_of('d', one), other)
    note(name_of('d', other), one)
  end
  if is_kept then
    redis.call('SREM', TAG .. 'empty', s.stream)
    redis.call('ZADD', TAG .. 'ages', s.since, s.stream)
  else
    redis.call('SADD', TAG .. 'empty', s.stream)
    redis.call('ZREM', TAG .. 'ages', s.stream)
  end
end

local function save(s)
  redis.call('HSET', s.m, 'epoch', s.epoch, 'seq', s.seq, 'oldest', s.oldest, 'bytes', s.bytes,
    'last', s.last, 'since', s.since)
end

-- Drop the oldest messages: those from before a time, and those beyond a number or size, if given.
-- Return whether some were dropped, and the stream was saved.
--
-- Redis takes nothing back when it refuses a command in the middle of a script, such as for a right
-- that its user has lost. So no command comes after LTRIM that was not allowed before.
local function trim(s, cutoff, max_messages, max_bytes)
  local dropped, is_done, ids = 0, s.oldest > s.seq, {}
  is_done = is_done or (s.since >= cutoff and s.seq - s.oldest + 1 <= (max_messages or math.huge)
    and s.bytes <= (max_bytes or math.huge))
  if is_done then
    return false
  end
  while not is_done do
    -- Lua hashes each byte that it gets, so read few more messages than must be dropped.
    local excess = max_messages and s.seq - s.oldest + 1 - max_messages or 0
    local step = math.min(math.max(LEAST, excess + 1, dropped), MOST)
    local elements = redis.call('LRANGE', s.l, dropped, dropped + step - 1)
    is_done = #elements == 0
    for _, element in ipairs(elements) do
      local time, size, id = time_size_key(element)
      local count = s.seq - s.oldest + 1
      s.since = time
      if not (time < cutoff or (max_messages and count > max_messages)
          or (max_bytes and s.bytes > max_bytes and count > 1)) then
        is_done = true
        break
      end
      dropped = dropped + 1
      s.oldest = s.oldest + 1
      s.bytes = s.bytes - size
      ids[#ids + 1] = id
    end
  end
  if dropped == 0 then
    return false
  end
  if s.oldest > s.seq then
    s.last = ''
    index(s, false)
  end
  in_chunks('HDEL', s.i, ids, CHUNK)
  if not max_messages then  -- an append has shown it already
    redis.call('HSET', s.m, 'epoch', s.epoch)
  end
  redis.call('LTRIM', s.l, dropped, -1)
  save(s)
  return true
end

-- Return where a stream stands, without messages from before a time. If the stream does not exist,
-- return nil, and a stream with its name and keys alone, which `get` begins.
local function find(stream, cutoff)
  local s = {
    stream = stream,
    m = name_of('m', stream),
    l = name_of('l', stream),
    i = name_of('i', stream),
    h = name_of('h', stream),
  }
  local found = redis.call('HMGET', s.m, 'epoch', 'seq', 'oldest', 'bytes', 'last', 'since',
    'name', 'topic')
  if not found[1] then
    return nil, s
  end
  s.epoch, s.seq, s.oldest = found[1], tonumber(found[2]), tonumber(found[3])
  s.bytes, s.last, s.since = tonumber(found[4]), found[5], tonumber(found[6])
  s.name, s.topic = found[7] or '', found[8] or ''
  trim(s, cutoff)
  return s
end

-- Return where a stream stands; begin the stream if it does not exist.
local function get(stream, cutoff)
  local s, begun = find(stream, cutoff)
  if s then
    return s
  end
  s = begun
  s.epoch = redis.call('HINCRBY', RUN, 'epochs', 1)
  s.seq, s.oldest, s.bytes, s.last, s.since, s.name, s.topic = 0, 1, 0, '', 0, '', ''
  redis.call('SADD', TAG .. 'empty', stream)
  save(s)
  return s
end

local function epoch_of(s)
  return generation .. '.' .. s.epoch
end

local function head(s)
  return {s.name, epoch_of(s), s.seq, s.oldest, s.topic, s.oldest <= s.seq and s.last or false}
end

-- Return the place of the first and all kept messages that this node was not told yet, if it has
-- the stream open; the place of the first message that it was not told may be lower.
local function untold(s, position)
  local cursor = position ~= '' and redis.call('HGET', s.h, node)
  if not cursor then
    return 0, {}
  end
  local first = math.max(tonumber(cursor), tonumber(position)) + 1
  if first > s.seq then
    return first, {}
  end
  first = math.max(first, s.oldest)
  return first, redis.call('LRANGE', s.l, first - s.oldest, -1)
end

-- Forget the nodes that had a stream open when their leases ended; a node that attaches anew opens
-- its rooms again.
local function drop_dead_holders(s)
  for _, holder in ipairs(redis.call('HKEYS', s.h)) do
    if redis.call('EXISTS', name_of('n', holder)) == 0 then
      redis.call('HDEL', s.h, holder)
    end
  end
end

-- End a stream that keeps no message, if no living node has it open.
local function drop_unheld(s)
  if s.oldest <= s.seq then
    return
  end
  drop_dead_holders(s)
  if redis.call('EXISTS', s.h) == 1 then
    return
  end
  redis.call('DEL', s.m, s.l, s.i, s.h)
  redis.call('SREM', TAG .. 'empty', s.stream)
end
