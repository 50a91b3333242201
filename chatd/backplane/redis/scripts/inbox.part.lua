-- This part comes after `streams`.
--
-- Put a word into the inbox of a node: a numbered list, which loses its oldest words if the node
-- does not read. The push tells the node the number, so it notices a gap.
local MOST_WORDS = 10000
local function send(id, word)
  local number = redis.call('HINCRBY', name_of('b', id), 'last', 1)
  local length = redis.pcall('RPUSH', name_of('q', id), word)
  if type(length) == 'table' then  -- refused, so the number is free
    redis.call('HINCRBY', name_of('b', id), 'last', -1)
    error(length)
  elseif length > MOST_WORDS then
    redis.call('LPOP', name_of('q', id))
  end
  redis.call('PUBLISH', PREFIX .. 'node ' .. id, struct.pack('>I8', number) .. word)
end
