#!lua flags=no-writes
-- Find the names with a direct message from some time on.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the time; the folded names
--# fence
--# streams
local since, found = tonumber(ARGV[1]), {}
for n = 2, #ARGV do
  local name = ARGV[n]
  for _, other in ipairs(redis.call('ZRANGEBYLEX', name_of('d', name), '-', '+')) do
    local newest = redis.call('LINDEX', name_of('l', 'direct ' .. name .. ' ' .. other), -1)
      or redis.call('LINDEX', name_of('l', 'direct ' .. other .. ' ' .. name), -1)
    if newest and time_size_key(newest) >= since then
      found[#found + 1] = name
      break
    end
  end
end
return found
