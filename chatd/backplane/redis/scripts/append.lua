#!lua
-- Give messages their places, keep them, and push them to the other nodes.
-- KEYS  m:STREAM of each stream; all others of these streams have the same tag
-- ARGV  1 the most messages of a stream  2 the most bytes  3 the highest age in seconds
--       4 the prefix of channels  5 the channel of direct messages  6 the most bytes of a push;
--       for each stream: the stream, and the position of this node if it has it open, or '';
--       for each message: the number of its stream, its author and id, the length of its content,
--       and its packed body
-- Returns the time; for each stream its epoch, the place of its first new message, the place of
--       the first message that this node was not told, and these messages; for each message its
--       place, or the place of the earlier message and that message, if it is not new; the work.
--# fence
--# streams
local max_messages, max_bytes, cutoff = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3]
local prefix, direct, max_push = ARGV[4], ARGV[5], tonumber(ARGV[6])

local states, at = {}, 7
for n = 1, #KEYS do
  local s = get(ARGV[at], cutoff)
  s.position = ARGV[at + 1]
  s.first = s.seq + 1
  s.told_from, s.told = untold(s, s.position)
  s.ids, s.new, s.places, s.pending, s.size = {}, {}, {}, {}, 0
  states[n] = s
  at = at + 2
end
for e = at, #ARGV, 4 do
  local ids = states[tonumber(ARGV[e])].ids
  ids[#ids + 1] = ARGV[e + 1]
end
for _, s in ipairs(states) do
  s.known, s.next = {}, 0
  for first = 1, #s.ids, CHUNK do
    local last = math.min(first + CHUNK - 1, #s.ids)
    for n, place in ipairs(redis.call('HMGET', s.i, unpack(s.ids, first, last))) do
      s.known[first + n - 1] = place
    end
  end
end

local outcomes = {}
for e = at, #ARGV, 4 do
  local s, id, size = states[tonumber(ARGV[e])], ARGV[e + 1], tonumber(ARGV[e + 2])
  s.next = s.next + 1
  local earlier = s.pending[id] or s.known[s.next]
  if earlier then
    earlier = tonumber(earlier)
    local element = earlier < s.first and redis.call('LINDEX', s.l, earlier - s.oldest) or ''
    outcomes[#outcomes + 1] = {earlier, element}
  else
    s.seq = s.seq + 1
    s.pending[id] = s.seq
    s.bytes = s.bytes + size
    s.new[#s.new + 1] = struct.pack('>dI4I2', now, size, #id) .. id .. ARGV[e + 3]
    s.size = s.size + #s.new[#s.new]
    s.places[#s.places + 1] = id
    s.places[#s.places + 1] = s.seq
    s.last = string.match(id, '%z(.*)$')
    outcomes[#outcomes + 1] = s.seq
  end
end

local function push(s)
  local channel
  if string.sub(s.stream, 1, 7) == 'direct ' then
    channel = redis.call('SCARD', TAG .. 'nodes') > 1 and direct
  else
    local own = redis.call('HEXISTS', s.h, node)
    channel = redis.call('HLEN', s.h) > own and 'stream ' .. s.stream
  end
  if not channel then
    return
  end
  local epoch = epoch_of(s)
  local parts = {
    struct.pack('>I2', #node), node, struct.pack('>I2', #epoch), epoch,
    struct.pack('>I2', #s.stream), s.stream, struct.pack('>I8I8', s.first, s.seq),
  }
  if s.size <= max_push then
    for _, element in ipairs(s.new) do
      parts[#parts + 1] = struct.pack('>I4', #element)
      parts[#parts + 1] = element
    end
  end
  redis.call('PUBLISH', prefix .. channel, table.concat(parts))
end

local streams = {}
for n, s in ipairs(states) do
  if #s.new > 0 then
    local was_empty = s.oldest == s.first
    in_chunks('RPUSH', s.l, s.new, CHUNK)
    in_chunks('HSET', s.i, s.places, CHUNK)
    if was_empty then
      s.since = now
      index(s, true)
    end
    save(s)
    trim(s, cutoff, max_messages, max_bytes)
    push(s)
  end
  if s.told_from > 0 then
    redis.call('HSET', s.h, node, s.seq)
  end
  streams[n] = {epoch_of(s), s.first, s.told_from, s.told}
end
local work = redis.call('HINCRBY', RUN, 'work', 1)
return {string.format('%.17g', now), streams, outcomes, work}
