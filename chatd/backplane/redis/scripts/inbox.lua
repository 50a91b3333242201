#!lua flags=allow-oom
-- Drop the words that this node has heard from its inbox, and read the next.
-- KEYS  1 b:NODE  2 q:NODE
-- ARGV  1 the number of the last word that the node has heard  2 the most words
-- Returns the numbers of the last word of all and of the first word here, the words, and the time.
--# fence
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or 0)
local before = last - redis.call('LLEN', KEYS[2])
local heard = tonumber(ARGV[1])
if heard > before and heard <= last then
  redis.call('LTRIM', KEYS[2], heard - before, -1)
  before = heard
end
local words = redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)
return {last, before + 1, words, string.format('%.17g', now)}
