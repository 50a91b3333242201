#!lua flags=allow-oom
-- Find rooms with names in them, in the order of their folded names.
-- KEYS  1 peopled; all other keys have the same tag
-- ARGV  1 the highest age of a message in seconds  2 the folded name after which to begin, or ''
--       3 the most rooms
-- Returns the head of each, and how many names are in it.
--# fence
--# streams
local cutoff, after = now - ARGV[1], ARGV[2]
local from = after == '' and '-' or '(' .. after
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, ARGV[3])) do
  local stream = 'room ' .. key
  local s = get(stream, cutoff)
  found[#found + 1] = {head(s), redis.call('HLEN', name_of('w', stream))}
end
return found
