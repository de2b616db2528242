--[[
  Ends a session, if it is there and is the one that is meant. Idempotent.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:counts:{07}  4 usher:session:{07}:<edge>:<id>
  ARGV  1 member  2 reason  3 events kept  4 condition  5 fingerprint
        condition  any         whatever it is
                   same        only with this fingerprint
                   other       only with another fingerprint
                   superseded  whatever it is: with this fingerprint it has moved to another shard (event
                               session.moved), with another one it is closed for the reason given
  Returns 'closed', 'moved', 'kept' (there, but not the one that is meant) or 'gone'.
  Errors  WRONGTYPE with the key's name where KEYS[4] is no hash.
]]
local member, reason, kept, condition, fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local kind = redis.call('TYPE', KEYS[4]).ok
if kind ~= 'none' and kind ~= 'hash' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[4] .. ' is a ' .. kind .. ', not a hash')
end
local hash = hashOf(KEYS[4])
if not hash then
  if redis.call('ZSCORE', aliveKey, member) then unlist(member) end
  return 'gone'
end

local same = hash.fingerprint == fingerprint
if condition == 'same' and not same or condition == 'other' and same then return 'kept' end
if condition == 'superseded' and same then reason = 'moved' end
forget(member, hash, reason, clusterTime(), kept)
return reason == 'moved' and 'moved' or 'closed'
