#!lua
-- Give messages their places, keep them, and push them to the other nodes.
-- KEYS  each m:STREAM of the streams; all others have the same tag
-- ARGV  1 the most messages of a stream  2 the most bytes  3 the highest age in seconds
--       4 the most bytes of a push; for each stream: the stream; this node's position, if it has
--       it open, or ''; the number of its messages; the bytes of their contents; the key of each
--       message, no two of them the same; each message as it is kept, without its time
-- Returns the time; for each stream its epoch, the place of its first new message, the place of
--       the first message that this node was not told, these messages, and for each message that
--       is not new its number in ARGV, its place and the kept message; the work.
--# fence
--# streams
--# people
--# inbox
local max_messages, max_bytes, cutoff = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3]
local max_push = tonumber(ARGV[4])
local stamp = struct.pack('>d', now)

-- Return the places of messages that are kept, by their numbers, and whether there are any.
local function known(s, first, count)
  local places, is_any = {}, false
  for from = 0, count - 1, CHUNK do
    local to = math.min(from + CHUNK, count)
    local found = redis.call('HMGET', s.i, unpack(ARGV, first + from, first + to - 1))
    for n = 1, to - from do
      if found[n] then
        places[from + n], is_any = tonumber(found[n]), true
      end
    end
  end
  return places, is_any
end

-- Return the message at a place if it has a key: `i` may have more, if Redis refused to delete it.
local function kept_at(s, place, key)
  if not place or place < s.oldest or place > s.seq then
    return nil
  end
  local element = redis.call('LINDEX', s.l, place - s.oldest)
  local _, _, found = time_size_key(element)
  return found == key and element
end

-- Add the messages of a stream, whose keys begin at an argument.
local function add(s, first, count, bytes)
  local earlier, is_any = known(s, first, count)
  local new, places, size, repeats, last = {}, {}, 0, {}, nil
  local seq, n = s.seq, 0
  for number = 1, count do
    local rest = ARGV[first + count + number - 1]
    local element = is_any and kept_at(s, earlier[number], ARGV[first + number - 1])
    if element then
      bytes = bytes - struct.unpack('>I4', rest)
      repeats[#repeats + 1] = {number, earlier[number], element}
    else
      n = n + 1
      last = ARGV[first + number - 1]
      new[n] = stamp .. rest
      size = size + #rest
      places[2 * n - 1], places[2 * n] = last, seq + n
    end
  end
  s.new, s.size, s.repeats, s.first = new, size, repeats, seq + 1
  if n == 0 then
    return
  end
  in_chunks('RPUSH', s.l, new, CHUNK)
  s.pushed = places
  in_chunks('HSET', s.i, places, CHUNK)
  local was_empty = s.oldest > seq
  s.seq, s.bytes, s.last = seq + n, s.bytes + bytes, string.match(last, '%z(.*)$')
  if was_empty then
    s.since = now
    index(s, true)
  end
  if not trim(s, cutoff, max_messages, max_bytes) then
    save(s)
  end
end

-- Add the messages of a stream, or none: Redis takes nothing back when it refuses a command in the
-- middle, such as for a right that its user has lost.
local function add_all(s, ...)
  local is_done, failure = pcall(add, s, ...)
  if is_done then
    return
  end
  if s.pushed then
    redis.pcall('RPOP', s.l, #s.new)
    for n = 1, #s.pushed, 2 do
      redis.pcall('HDEL', s.i, s.pushed[n])
    end
  end
  error(type(failure) == 'table' and failure or {err = failure})
end

-- Return a push of some new messages of a stream; that of large ones only announces them.
local function packed(s, from, to, size)
  local epoch = epoch_of(s)
  local parts = {
    struct.pack('>I2', #node), node, struct.pack('>I2', #epoch), epoch,
    struct.pack('>I2', #s.stream), s.stream,
    struct.pack('>I8I8', s.first + from - 1, s.first + to - 1),
  }
  if size <= max_push then
    for n = from, to do
      local element = s.new[n]
      parts[#parts + 1] = struct.pack('>I4', #element)
      parts[#parts + 1] = element
    end
  end
  return table.concat(parts)
end

-- Push the new messages of a room in pieces, so that only a message that is too large for a piece
-- must be read.
local function push_room(s)
  local channel = channel_of(s.stream)
  local from, size = 1, 0
  for n, element in ipairs(s.new) do
    if n > from and size + #element > max_push then
      redis.call('PUBLISH', channel, packed(s, from, n - 1, size))
      from, size = n, 0
    end
    size = size + #element
  end
  redis.call('PUBLISH', channel, packed(s, from, #s.new, size))
end

-- Push the new messages of a stream to the other nodes that have the room open, or put direct
-- messages into the inboxes of the other nodes with sessions of the two names.
local function push(s)
  local one, other = string.match(s.stream, '^direct (.-) (.*)')
  if not one then
    if redis.call('HLEN', s.h) > redis.call('HEXISTS', s.h, node) then
      push_room(s)
    end
    return
  end
  local word  -- as in `chatd.backplane.redis.words`
  local sent = {[node] = true}
  for _, key in ipairs({one, other}) do
    for _, claim in pairs((claims_of(key))) do
      if not sent[claim[1]] then
        sent[claim[1]] = true
        word = word or 'D' .. packed(s, 1, #s.new, s.size)
        send(claim[1], word)
      end
    end
  end
end

local streams, at = {}, 5
for n = 1, #KEYS do
  local s = get(ARGV[at], cutoff)
  local told_from, told = untold(s, ARGV[at + 1])
  local count = tonumber(ARGV[at + 2])
  add_all(s, at + 4, count, tonumber(ARGV[at + 3]))
  at = at + 4 + 2 * count
  if #s.new > 0 then
    push(s)
  end
  if told_from > 0 then
    redis.call('HSET', s.h, node, s.seq)
  end
  streams[n] = {epoch_of(s), s.first, told_from, told, s.repeats}
end
local work = redis.call('HINCRBY', RUN, 'work', 1)
return {string.format('%.17g', now), streams, work}
