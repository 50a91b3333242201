-- Return the id and the details of each living node, except one node.
local function others(nodes, but)
  local found = {}
  for _, other in ipairs(redis.call('SMEMBERS', nodes)) do
    local lease = string.match(nodes, '^{.-}') .. 'n:' .. other
    local details = other ~= but and redis.call('HGET', lease, 'details')
    if details then
      found[#found + 1], found[#found + 2] = other, details
    end
  end
  return found
end
