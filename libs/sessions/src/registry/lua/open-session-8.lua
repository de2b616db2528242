--[[
  Opens a session, or updates it where the same fingerprint is there already. Another fingerprint under that id: the
  old session is closed as `replaced` first. Idempotent: any repetition, and any order of the opens of one session,
  ends in the same record. What is known never turns worse: an answer on trust does not take back an allow, a missing
  user does not blank a known one, `assumed` does not take back `listed` or `seen`, and fields that another version
  wrote stay.

  KEYS  1 usher:alive:{07}    2 usher:events:{07}  3 usher:counts:{07}  4 usher:edges:{07}
        5 usher:session:{07}:<edge>:<id>           6 usher:channel:{07}:<channel>
        7 usher:edge:{07}:<edge>                   8 usher:user:{07}:<namespace>/<user>; without a user KEYS[5]
        (as it is known already, the same user's key is built from the hash)
  ARGV  1 member  2 alive-until (cluster time, ms)  3 events kept  4 device (short; for the user's hash)
        5 user agent, whole  6 path, whole  7 … field, value, … of the session's hash; empty values are left out
  Returns {'opened' | 'updated' | 'replaced' | 'late', fingerprint that was replaced or ''};
          late: its time was up when it came here (a command may be executed long after its deadline), or another
          session was opened under its id later: nothing is done.
  Errors  WRONGTYPE with the key's name where one of KEYS is not ours.
]]
local member, aliveUntil, kept, device = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local sessionKey, channelKey, edgeKey = KEYS[5], KEYS[6], KEYS[7]
-- The type of each of KEYS.
local TYPES = { 'zset', 'stream', 'hash', 'zset', 'hash', 'zset', 'zset', 'hash' }
local PRESENCE = { assumed = 1, seen = 2, listed = 3 }
-- What an answer on trust, or to a known viewer, may not take back from a session that a backend allowed.
local GRANT = { 'state', 'source', 'backend', 'authorizedUntil', 'user', 'name' }
local USER = { 'user', 'name' }
-- What says something by its absence: an update takes it away.
local BLANK = { 'authorizedUntil', 'name' }
-- Entries of a user that are looked through at each open.
local FEW = 16

-- On trust, let in without an answer of its own (a known viewer, a public channel), or answered.
local function standing(session)
  if session.state == 'on-trust' then return 1 end
  local undecided = session.source == 'known' or session.source == 'rule'
  if undecided and session.state ~= 'revoked' then return 2 end
  return 3
end

for i = 1, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'none' and kind ~= TYPES[i] then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind .. ', not a ' .. TYPES[i])
  end
end

local now = clusterTime()
if not aliveUntil or aliveUntil <= now then return { 'late', '' } end

local new = {}
for i = 7, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then new[ARGV[i]] = ARGV[i + 1] end
end

local status, replaced = 'opened', ''
local old = hashOf(sessionKey)
if old and old.fingerprint ~= new.fingerprint then
  -- A late or repeated open of the session that had the id before: the newer one stays.
  if (tonumber(old.openedAt) or 0) > (tonumber(new.openedAt) or 0) then return { 'late', '' } end
  forget(member, old, 'replaced', now, kept)
  status, replaced, old = 'replaced', old.fingerprint or '', false
end

if old then
  status = 'updated'
  local function keep(fields)
    for _, field in ipairs(fields) do new[field] = old[field] end
  end
  if old.state ~= 'revoked' and standing(new) < standing(old) then keep(GRANT) end
  if not new.user then keep(USER) end
  if (PRESENCE[old.presence] or 0) > (PRESENCE[new.presence] or 0) then new.presence = old.presence end
  if (tonumber(old.openedAt) or math.huge) < tonumber(new.openedAt) then new.openedAt = old.openedAt end
  if (tonumber(old.version) or 0) > tonumber(new.version) then new.version = old.version end
  if old.user ~= new.user or old.channel ~= new.channel then unlink(member, old) end
  count(old, -1)
end

local fields = {}
for field, value in pairs(new) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
redis.call('HSET', sessionKey, unpack(fields))
for _, field in ipairs(BLANK) do
  if old and old[field] and not new[field] then redis.call('HDEL', sessionKey, field) end
end
count(new, 1)

redis.call('ZADD', aliveKey, 'GT', aliveUntil, member)
local life = tonumber(redis.call('ZSCORE', aliveKey, member)) - now
redis.call('PEXPIRE', sessionKey, string.format('%.0f', life + HOUR))
redis.call('ZADD', channelKey, new.openedAt, member)
redis.call('ZADD', edgeKey, new.openedAt, member)
redis.call('ZADD', shardKey('edges'), 0, string.match(member, '^[^:]*'))
if new.user then
  local userKey = userKeyOf(new.user)
  local notCountedUntil = string.match(redis.call('HGET', userKey, member) or '', '|(%d+)$') or '0'
  -- Records that expired while nobody swept for an hour leave their user's entry behind: it counts for nothing.
  if redis.call('HLEN', userKey) <= FEW then
    for _, other in ipairs(redis.call('HKEYS', userKey)) do
      if not redis.call('ZSCORE', aliveKey, other) then redis.call('HDEL', userKey, other) end
    end
  end
  redis.call('HSET', userKey, member,
    new.openedAt .. '|' .. device .. '|' .. new.presence .. '|' .. notCountedUntil)
end

if status ~= 'updated' then
  tell(kept, 'session.opened', member, now, {
    'user', new.user, 'name', new.name, 'channel', new.channel, 'ip', new.ip, 'ua', ARGV[5], 'host', new.host,
    'path', ARGV[6], 'dialect', new.dialect, 'backend', new.backend, 'source', new.source, 'state', new.state,
    'presence', new.presence, 'openedAt', new.openedAt, 'fingerprint', new.fingerprint,
  })
end
return { status, replaced }
