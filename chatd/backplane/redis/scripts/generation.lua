#!lua flags=allow-oom
-- Find the generation, or make another if messages may be lost: the generation is missing, or
-- the server has started anew or been replaced without being safe before and after, or it has done
-- less than this node saw done. Nodes of a chatd that knows only an older layout must write nothing
-- any more, so a higher layout makes a new generation, too.
-- KEYS  1 layout  2 run
-- ARGV  1 this node's layout  2 the server's run id  3 '1' if the server is safe: it has no
--       replica, never was a replica, and answers after its disk has the data  4 a new generation
--       5 the generation that this node knows, or ''  6 the run id that it saw  7 the work that it
--       saw done
local layout, own_layout = redis.call('GET', KEYS[1]), tonumber(ARGV[1])
if layout and (tonumber(layout) or math.huge) > own_layout then
  return redis.error_reply('LAYOUT ' .. layout)
end
local run = redis.call('HMGET', KEYS[2], 'generation', 'id', 'safe', 'work')
local generation, id, work = run[1], run[2], tonumber(run[4] or 0)
local is_new = not generation
  or (layout and tonumber(layout) < own_layout)
  or (id ~= ARGV[2] and not (run[3] == '1' and ARGV[3] == '1'))
if not is_new and generation == ARGV[5] then
  -- Other nodes may have worked since, which must not hide that some work is lost.
  local done = id == ARGV[6] and work or tonumber(redis.call('HGET', KEYS[2], 'work:' .. ARGV[6]) or -1)
  is_new = done < tonumber(ARGV[7])
end
if is_new then
  generation = ARGV[4]
  for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
    if string.find(field, '^work:') then
      redis.call('HDEL', KEYS[2], field)
    end
  end
elseif id ~= ARGV[2] then
  redis.call('HSET', KEYS[2], 'work:' .. id, work)
end
-- The layout comes last: if Redis refuses the first command, the next node makes the generation.
redis.call('HSET', KEYS[2], 'generation', generation, 'id', ARGV[2], 'safe', ARGV[3])
redis.call('SET', KEYS[1], own_layout)
return generation
