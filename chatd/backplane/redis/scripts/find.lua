#!lua flags=no-writes
-- Find the sessions of names.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  the folded names
-- Returns for each: the name, how many sessions have it, the number and the text of the newest
--       away text, or 0 and ''.
--# fence
--# streams
--# people
local result = {}
for n = 1, #ARGV do
  local claims, count = claims_of(ARGV[n])
  local claim = newest(claims)
  result[n] = claim and {claim[2], count, claim[4], claim[5]} or {'', 0, 0, ''}
end
return result
