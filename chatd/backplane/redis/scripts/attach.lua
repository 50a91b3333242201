#!lua flags=allow-oom
-- Give a node its lease.
-- KEYS  1 the node's lease  2 run  3 nodes
-- ARGV  1 the node's id  2 the generation  3 the token of the attachment  4 the length of the lease
--       in milliseconds  5 the node's details
-- Returns the work; the id and the details of each other node; 1 if the lease had not ended.
--# others
if redis.call('HGET', KEYS[2], 'generation') ~= ARGV[2] then
  return redis.error_reply('STALE the backplane has another generation')
end
local had_lease = redis.call('EXISTS', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[3], 'details', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SADD', KEYS[3], ARGV[1])
return {tonumber(redis.call('HGET', KEYS[2], 'work') or 0), others(KEYS[3], ARGV[1]), had_lease}
