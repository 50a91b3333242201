#!lua flags=no-writes
-- Find names in a room, in the order of their folded names.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 the folded name after which to begin, or ''  3 the most names
-- Returns how many names are in the room; for each found the folded name, the name, the away text.
--# fence
--# streams
--# people
local stream, after = ARGV[1], ARGV[2]
local from = after == '' and '-' or '(' .. after
local keys = redis.call('ZRANGEBYLEX', name_of('o', stream), from, '+', 'LIMIT', 0, ARGV[3])
local names = {}
for _, key in ipairs(keys) do
  local found = redis.call('HGET', name_of('w', stream), key)
  if found then
    local claim = newest((claims_of(key)))
    names[#names + 1] = {key, cmsgpack.unpack(found)[1], claim and claim[5] or ''}
  end
end
return {redis.call('HLEN', name_of('w', stream)), names}
