--[[
  Revokes a session that lives: it may not go on, but may still be playing until it is cut, so it stays listed until it
  is closed, by whatever: then for the reason that it was revoked for. Its entry in its user's hash has `revoked` for a
  presence, and counts no more. Idempotent: a second revocation changes nothing.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:counts:{07}  4 usher:session:{07}:<edge>:<id>
        5 usher:where:{07}:<part> in the session's home shard; elsewhere KEYS[4]
  ARGV  1 member  2 reason  3 events kept  4 fingerprint ('' = whatever it is)
  Returns {the shard that `where` names ('' = none), alive-until, field, value, …} as it is now; the shard alone, no list,
          where it is missing, over, revoked already, or has another fingerprint.
  Errors  WRONGTYPE with the key's name where KEYS[4] or KEYS[5] is no hash.
]]
local member, reason, kept, fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local record, where = redis.pcall('HGETALL', KEYS[4]), KEYS[5] ~= KEYS[4] and redis.pcall('HGET', KEYS[5], member) or ''
local wrong = record.err and KEYS[4] or type(where) == 'table' and KEYS[5]
if wrong then
  return redis.error_reply('WRONGTYPE ' .. wrong .. ' is a ' .. redis.call('TYPE', wrong).ok .. ', not a hash')
end

local hash, now = tableOf(record), clusterTime()
local aliveUntil = redis.call('ZSCORE', aliveKey, member)
if not hash or not aliveUntil or tonumber(aliveUntil) <= now then return where end
if hash.state == 'revoked' or fingerprint ~= '' and fingerprint ~= hash.fingerprint then return where end

count(hash, -1)
hash.state, hash.revokedAt, hash.revokedFor = 'revoked', string.format('%.0f', now), reason
count(hash, 1)
redis.call('HSET', KEYS[4], 'state', hash.state, 'revokedAt', hash.revokedAt, 'revokedFor', reason)
local entry = hash.user and redis.pcall('HGET', userKeyOf(hash.user), member)
if type(entry) == 'string' then
  local opened, device, _, notCountedUntil = string.match(entry, '^([^|]*)|([^|]*)|([^|]*)|(.*)$')
  if opened then
    redis.call('HSET', userKeyOf(hash.user), member, opened .. '|' .. device .. '|revoked|' .. notCountedUntil)
  end
end
tellEnd(kept, 'session.revoked', member, now, reason, hash)

local reply = { where, aliveUntil }
for field, value in pairs(hash) do
  reply[#reply + 1] = field
  reply[#reply + 1] = value
end
return reply
