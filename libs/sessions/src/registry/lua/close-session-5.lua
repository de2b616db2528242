--[[
  Ends a session, if it is there and is the one that is meant; at home also tells, or sets, where it is. Idempotent.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:counts:{07}  4 usher:session:{07}:<edge>:<id>
        5 usher:where:{07}:<part> in the session's home shard; elsewhere KEYS[4]
  ARGV  1 member  2 reason  3 events kept  4 condition  5 fingerprint
        6 the shard that `where` is to name from now on ('' = as it is); not where it names a third one  7 for so
        long, ms  8 when the session was opened that is there instead ('' = none)
        condition  any         whatever it is
                   same        only with this fingerprint
                   revoked     only with this fingerprint, and if it was revoked
                   other       only with another fingerprint
                   superseded  whatever it is: with this fingerprint it has moved to another shard (event
                               session.moved), with another one it is closed for the reason given
  One that was revoked after the session was opened that is there instead (ARGV[8]) is not superseded by it.
  Returns {'closed', 'moved', 'kept' (there, but not the one that is meant), 'revoked' (there, and it stays: the newer
          one came too late), 'over' (it was revoked, and the newer one came later) or 'gone', the shard that `where`
          named before ('' = none), and where it had been revoked and was closed its fingerprint, and when}.
  Errors  WRONGTYPE with the key's name where KEYS[4] or KEYS[5] is no hash.
]]
local member, reason, kept, condition, fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local record, where = redis.pcall('HGETALL', KEYS[4]), KEYS[5] ~= KEYS[4] and redis.pcall('HGET', KEYS[5], member) or ''
local wrong = record.err and KEYS[4] or type(where) == 'table' and KEYS[5]
if wrong then
  return redis.error_reply('WRONGTYPE ' .. wrong .. ' is a ' .. redis.call('TYPE', wrong).ok .. ', not a hash')
end
local hash = tableOf(record)
local same = hash and hash.fingerprint == fingerprint
local isRevoked = same and hash.state == 'revoked' and ARGV[8] ~= ''
if isRevoked and tonumber(ARGV[8]) <= (tonumber(hash.revokedAt) or 0) then return { 'revoked', where } end

if ARGV[6] ~= '' and (where == '' or not where or where == ARGV[6]) then
  if where ~= ARGV[6] then redis.call('HSET', KEYS[5], member, ARGV[6]) end
  -- Longer than it must, so that it is renewed once an hour and not with each of its sessions.
  if redis.call('PTTL', KEYS[5]) < tonumber(ARGV[7]) then
    redis.call('PEXPIRE', KEYS[5], string.format('%.0f', ARGV[7] + HOUR))
  end
end

-- What an expired record left in the indexes is the sweep's.
if not hash then return { 'gone', where } end
if condition == 'same' and not same then return { 'kept', where } end
if condition == 'revoked' and not (same and hash.state == 'revoked') then return { 'kept', where } end
if condition == 'other' and same and not isRevoked then return { 'kept', where } end
if condition == 'superseded' and same and not isRevoked then reason = 'moved' end
local revokedAt = forget(member, hash, reason, clusterTime(), kept)
local ended = isRevoked and 'over' or reason == 'moved' and 'moved' or 'closed'
return { ended, where or '', revokedAt and hash.fingerprint, revokedAt }
