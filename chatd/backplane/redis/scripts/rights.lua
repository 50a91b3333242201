#!lua flags=no-writes
-- Find the commands that the user may not run.
-- KEYS  none, so that a user without a right to the keys can run this
-- ARGV  1 a key  2 a channel  3... the commands, such as `get` and `script|load`
-- Returns the numbers of the refused commands, and '1' if the key is refused for sure.
local key, channel = table.remove(ARGV, 1), table.remove(ARGV, 1)
-- As many arguments as the command takes: Redis reads them without counting.
local arguments = {
  time = {}, info = {'server'}, ['script|load'] = {''}, eval = {'', '0'}, evalsha = {'', '0'},
  subscribe = {channel}, unsubscribe = {channel}, publish = {channel, ''},
  del = {key}, exists = {key},
}
local function is_allowed(command)
  local words = {}
  for word in string.gmatch(command, '[^|]+') do
    words[#words + 1] = word
  end
  for _, argument in ipairs(arguments[command] or {key, '0', '0'}) do
    words[#words + 1] = argument
  end
  return redis.acl_check_cmd(unpack(words))
end
local refused = {}
for n, command in ipairs(ARGV) do
  if not is_allowed(command) then
    refused[#refused + 1] = n
  end
end
local found = redis.pcall('EXISTS', key)
local is_key_refused = type(found) == 'table' and string.find(found.err, 'access', 1, true)
return {refused, is_key_refused and '1' or ''}
