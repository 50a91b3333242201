#!lua flags=allow-oom
-- Claim names again that sessions of this node had before it attached anew.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  for each session: the session; the folded name; the name; '1' for an account; the away text
-- Returns the sessions whose names others took.
--# fence
--# streams
--# people
local lost = {}
for n = 1, #ARGV, 5 do
  local session, key, name, is_account, text = unpack(ARGV, n, n + 4)
  local claims, count = claims_of(key, true)
  local own = claims[session]
  if not own or own[1] ~= node then
    if is_free(claims, count, is_account) then
      local number = text == '' and 0 or redis.call('INCR', TAG .. 'away')
      save_claim(key, session, {node, name, is_account, number, text})
    else
      lost[#lost + 1] = session
    end
  end
end
return lost
