#!lua flags=allow-oom
-- Take names back from sessions of this node.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  for each session: the session; the folded name
--# fence
--# streams
for n = 1, #ARGV, 2 do
  local session, key = ARGV[n], ARGV[n + 1]
  local found = redis.call('HGET', name_of('s', key), session)
  if found and cmsgpack.unpack(found)[1] == node then
    redis.call('HDEL', name_of('s', key), session)
  end
  redis.call('SREM', name_of('c', node), session .. '\0' .. key)
end
return 1
