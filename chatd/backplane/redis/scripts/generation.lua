#!lua flags=allow-oom
-- Find the generation, or make another if messages may be lost: the generation is missing, or
-- the server has started anew or been replaced without being safe before and after, or it has done
-- less than this node saw done.
-- KEYS  1 layout  2 run
-- ARGV  1 this node's layout  2 the server's run id  3 '1' if the server is safe: it has no
--       replica, never was a replica, and answers after its disk has the data  4 a new generation
--       5 the generation that this node knows, or ''  6 the work that this node saw done in it
local layout = redis.call('GET', KEYS[1])
if layout and tonumber(layout) > tonumber(ARGV[1]) then
  return redis.error_reply('LAYOUT ' .. layout)
end
local run = redis.call('HMGET', KEYS[2], 'generation', 'id', 'safe', 'work')
local generation = run[1]
local is_new = not generation
  or (run[2] ~= ARGV[2] and not (run[3] == '1' and ARGV[3] == '1'))
  or (generation == ARGV[5] and tonumber(run[4] or 0) < tonumber(ARGV[6]))
if is_new then
  generation = ARGV[4]
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'generation', generation, 'id', ARGV[2], 'safe', ARGV[3])
return generation
