#!lua flags=allow-oom
-- Give a session the first of some names that is free, unless a ban is in force.
-- KEYS  1 bans; all other keys have the same tag
-- ARGV  1 the session  2 '1' if it logged in to the account of the name  3 the number of ban keys;
--       these keys; for each name, its folded form and the name
-- Returns the number of the name; 0 if none is free; -1 for a ban; -2 if too many sessions of its
--       account have it.
--# fence
--# streams
--# people
local BANNED, TOO_MANY = -1, -2
local MOST = 500  -- sessions of a name: each direct message to it reads all its claims
local session, is_account, bans = ARGV[1], ARGV[2], tonumber(ARGV[3])
for n = 4, 3 + bans do
  local ban = redis.call('HGET', KEYS[1], ARGV[n])
  if ban and struct.unpack('>d', ban) > now then
    return BANNED
  end
end
for n = 4 + bans, #ARGV, 2 do
  local key = ARGV[n]
  local claims, count = claims_of(key, true)
  if is_free(claims, count, is_account) then
    if count >= MOST and not claims[session] then
      return TOO_MANY
    end
    save_claim(key, session, {node, ARGV[n + 1], is_account, 0, ''})
    return (n - 4 - bans) / 2 + 1
  end
end
return 0
