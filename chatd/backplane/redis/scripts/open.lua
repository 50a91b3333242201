#!lua flags=allow-oom
-- Find where a stream stands, begin it if it does not exist, and note that this node has it open.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the stream  2 its name, if it has none yet  3 the highest age in seconds
--       4 '1' to have it open  5 the epoch that the node knows, or ''  6 its position there
-- Returns the head, the place of the first message after the position, and these messages.
--# fence
--# streams
local s = get(ARGV[1], now - ARGV[3])
if s.name == '' and ARGV[2] ~= '' then
  s.name = ARGV[2]
  redis.call('HSET', s.m, 'name', s.name)
end
local first, messages = 0, {}
if ARGV[4] == '1' then
  if ARGV[5] == epoch_of(s) then
    redis.call('HSET', s.h, node, ARGV[6])
    first, messages = untold(s, ARGV[6])
  end
  redis.call('HSET', s.h, node, s.seq)
  drop_dead_holders(s)
end
return {head(s), first, messages}
