#!lua flags=allow-oom
-- Read a part of a stream; begin the stream if it does not exist.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 the highest age in seconds  3 this node's position if it has it open, or ''
--       4 'after', 'resume' (after a position), 'before' or 'newest'  5 the place
--       6 the epoch of that place, or ''  7 the id of the message there, or ''
--       8 the most messages  9 the most bytes of content
-- Returns the head; the id at the place, if it was asked for; the messages, the newest first for
--       'before' and 'newest'; the place of the first message after the position, and these messages.
--# fence
--# streams
local s = get(ARGV[1], now - ARGV[2])
local mode, place, limit, max_bytes = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[8]), tonumber(ARGV[9])

local id = false
if ARGV[7] ~= '' and place >= s.oldest and place <= s.seq then
  local _, _, key = time_size_key(redis.call('LINDEX', s.l, place - s.oldest))
  id = string.match(key, '%z(.*)$')
end

local messages, size = {}, 0
local function take(element)
  local _, bytes = time_size_key(element)
  size = size + bytes
  if #messages > 0 and (size > max_bytes or #messages == limit) then
    return false
  end
  messages[#messages + 1] = element
  return #messages < limit
end

local PIECE = 50  -- elements that one LRANGE reads
if mode == 'after' or mode == 'resume' then
  -- As `chatd.storage.paging.resume_from`: if the stream does not know the position, there is none.
  if mode == 'resume' and ((ARGV[6] ~= '' and ARGV[6] ~= epoch_of(s)) or place > s.seq
      or (ARGV[7] ~= '' and id and id ~= ARGV[7])) then
    place = 0
  end
  local from, goes_on = math.max(s.oldest, place + 1) - s.oldest, true
  local elements
  repeat
    elements = redis.call('LRANGE', s.l, from, from + PIECE - 1)
    for _, element in ipairs(elements) do
      goes_on = goes_on and take(element)
    end
    from = from + PIECE
  until not goes_on or #elements < PIECE
else
  local past = s.seq + 1
  local to = (mode == 'newest' and past or math.max(s.oldest, math.min(place, past))) - 1 - s.oldest
  local goes_on = true
  while goes_on and to >= 0 do
    local elements = redis.call('LRANGE', s.l, math.max(0, to - PIECE + 1), to)
    goes_on = #elements > 0  -- otherwise the head is damaged, and names places that are not there
    for n = #elements, 1, -1 do
      goes_on = goes_on and take(elements[n])
    end
    to = to - PIECE
  end
end

local first, told = untold(s, ARGV[3])
if #told > 0 then  -- otherwise a read writes nothing, and waits for no disk
  redis.call('HSET', s.h, node, s.seq)
end
return {head(s), id, messages, first, told}
