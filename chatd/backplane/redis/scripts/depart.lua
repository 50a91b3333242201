#!lua flags=allow-oom
-- Take a name back from a session of this node.
-- KEYS  1 bans; all other keys have the same tag
-- ARGV  1 the session  2 the folded name
--# fence
--# streams
local session, key = ARGV[1], ARGV[2]
local found = redis.call('HGET', name_of('s', key), session)
if found and cmsgpack.unpack(found)[1] == node then
  redis.call('HDEL', name_of('s', key), session)
end
redis.call('SREM', name_of('c', node), session .. '\0' .. key)
return 1
