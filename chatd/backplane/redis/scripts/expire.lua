#!lua flags=allow-oom
-- Drop some of the messages that are too old, and streams that keep none and are not open.
-- KEYS  1 ages  2 empty; the keys of the streams have the same tag
-- ARGV  1 the highest age in seconds  2 the cursor in `empty`, at first 0
-- Returns how many streams `ages` listed as old (AT_ONCE if there may be more), and the next cursor,
--       or 0.
--# fence
--# streams
local AT_ONCE = 100  -- streams
local cutoff = now - ARGV[1]
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.17g', cutoff),
  'LIMIT', 0, AT_ONCE)
for _, stream in ipairs(old) do
  local s = find(stream, cutoff)
  if not s then
    redis.call('ZREM', KEYS[1], stream)
  elseif s.oldest > s.seq then
    drop_unheld(s)
  else
    redis.call('ZADD', KEYS[1], s.since, stream)
  end
end
if #old == AT_ONCE then
  return {AT_ONCE, ARGV[2]}
end
local found = redis.call('SSCAN', KEYS[2], ARGV[2], 'COUNT', AT_ONCE)
for _, stream in ipairs(found[2]) do
  local s = find(stream, cutoff)
  if s then
    drop_unheld(s)
  else
    redis.call('SREM', KEYS[2], stream)
  end
end
return {#old, found[1]}
