-- The fence: nothing is done for a node without its lease (FENCED), or for a node that attached in
-- another generation (STALE). The link adds its keys and arguments at the end, and they are taken
-- off here:
-- KEYS  ..., the node's lease, `run`
-- ARGV  ..., the token of the node's attachment, the generation, the node's id, the time or ''
local RUN, LEASE = table.remove(KEYS), table.remove(KEYS)
local given, node = table.remove(ARGV), table.remove(ARGV)
local generation, token = table.remove(ARGV), table.remove(ARGV)
if redis.call('HGET', RUN, 'generation') ~= generation then
  return redis.error_reply('STALE the backplane has another generation')
end
if redis.call('HGET', LEASE, 'token') ~= token then
  return redis.error_reply('FENCED the lease of this node has ended')
end
local now = tonumber(given)  -- Unix seconds by the clock of Redis; tests give their own
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
