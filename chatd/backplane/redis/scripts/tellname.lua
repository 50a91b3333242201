#!lua flags=allow-oom
-- Put a word into the inboxes of the other nodes with sessions of a name.
-- KEYS  of the fence only; all others have the same tag
-- ARGV  1 the folded name  2 the word
--# fence
--# streams
--# people
--# inbox
local sent = {[node] = true}
for _, claim in pairs((claims_of(ARGV[1]))) do
  if not sent[claim[1]] then
    sent[claim[1]] = true
    send(claim[1], ARGV[2])
  end
end
return 1
