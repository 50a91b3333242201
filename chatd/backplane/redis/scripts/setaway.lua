#!lua
-- Set the away text of a session of this node; an empty text ends those of all sessions of a name.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the session  2 the folded name  3 the text
--# fence
--# streams
--# people
local session, key, text = ARGV[1], ARGV[2], ARGV[3]
local claims = claims_of(key, true)
if text == '' then
  for each, claim in pairs(claims) do
    if claim[5] ~= '' then
      claim[4], claim[5] = 0, ''
      redis.call('HSET', name_of('s', key), each, cmsgpack.pack(claim))
    end
  end
elseif claims[session] then
  local claim = claims[session]
  claim[4], claim[5] = redis.call('INCR', TAG .. 'away'), text
  redis.call('HSET', name_of('s', key), session, cmsgpack.pack(claim))
end
return 1
