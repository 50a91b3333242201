#!lua flags=allow-oom
-- Find where the streams of an index stand, in the order of their names.
-- KEYS  1 the index: `rooms`, or d:NAME; the keys of the streams have the same tag
-- ARGV  1 the highest age in seconds  2 the name after which to begin  3 the most streams
--       4 the name whose direct streams they are, or '' for rooms
-- Returns the name and the head of each.
--# fence
--# streams
local cutoff, after, limit, author = now - ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local found = {}
while #found < limit do
  local from = after == '' and '-' or '(' .. after
  local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, math.min(limit, 100))
  if #names == 0 then
    break
  end
  for _, name in ipairs(names) do
    local stream = 'room ' .. name
    if author ~= '' then
      stream = 'direct ' .. author .. ' ' .. name
      if redis.call('EXISTS', name_of('m', stream)) == 0 then
        stream = 'direct ' .. name .. ' ' .. author
      end
    end
    local s = find(stream, cutoff)
    if s and s.oldest <= s.seq then
      found[#found + 1] = {name, head(s)}
      if #found == limit then
        break
      end
    end
    after = name
  end
end
return found
