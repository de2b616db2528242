--[[
  Opens a session, or updates it where the same fingerprint is there already. Another fingerprint under that id: the
  old session is closed as `replaced` first. An update that changes state, source, user or presence is told of
  (session.updated). Idempotent: any repetition, and any order of the opens of one session,
  ends in the same record. What is known never turns worse: an answer on trust does not take back an allow, a missing
  user does not blank a known one, `assumed` does not take back `listed` or `seen`, and fields that another version
  wrote stay. A session that was revoked stays so, once it is over too: what was opened before that comes too late, and
  what was opened later is another session.

  KEYS  1 usher:alive:{07}    2 usher:events:{07}  3 usher:counts:{07}  4 usher:edges:{07}
        5 usher:session:{07}:<edge>:<id>           6 usher:channel:{07}:<channel>
        7 usher:edge:{07}:<edge>                   8 usher:user:{07}:<namespace>/<user>; without a user KEYS[5]
        9 usher:where:{07}:<part> in the session's home shard; elsewhere KEYS[5]
        (as it is known already, the same user's key is built from the hash, and usher:revoked:{07} from the tag)
  ARGV  1 member  2 alive-until (cluster time, ms)  3 events kept  4 device (short; for the user's hash)
        5 user agent, whole  6 path, whole  7 … field, value, … of the session's hash; empty values are left out
  Returns {'opened' | 'updated' | 'replaced' | 'late', fingerprint that was replaced or '', the shard that `where`
          names ('' = none), and where the session that ended here had been revoked its fingerprint, and when};
          late: its time was up when it came here (a command may be executed long after its deadline), another session
          was opened under its id later, or it was revoked since: nothing is done.
  Errors  WRONGTYPE with the key's name where one of KEYS is not ours.
]]
local member, aliveUntil, kept, device = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local sessionKey, channelKey = KEYS[5], KEYS[6]
-- The type of each of KEYS.
local TYPES = { 'zset', 'stream', 'hash', 'zset', 'hash', 'zset', 'zset', 'hash', 'hash' }
local PRESENCE = { assumed = 1, seen = 2, listed = 3 }
-- What an answer on trust, or to a known viewer, may not take back from a session that a backend allowed.
local GRANT = { 'state', 'source', 'backend', 'authorizedUntil', 'user', 'name' }
local USER = { 'user', 'name' }
-- What says something by its absence: an update takes it away.
local BLANK = { 'authorizedUntil', 'name' }
-- Entries of a user that are looked through at each open; of more, and of a channel, some.
local FEW, SOME = 16, 2

-- On trust, let in without an answer of its own (a known viewer, a public channel, a hold), or answered.
local UNDECIDED = { known = true, rule = true, hold = true }
local function standing(session)
  if session.state == 'on-trust' then return 1 end
  return UNDECIDED[session.source] and 2 or 3
end

-- Puts a session into its edge's index where it stands nowhere yet: `key` is the edge's, of so many entries; `divided`
-- its score in `edges`.
local function enlistNew(member, openedAt, key, divided, size)
  if not divided then redis.call('ZADD', shardKey('edges'), 0, edgeOf(member)) end
  if size >= EDGE_FULL then
    key = edgePartOf(member)
    if divided ~= '1' then redis.call('ZADD', shardKey('edges'), 1, edgeOf(member)) end
  end
  redis.call('ZADD', key, openedAt, member)
end

-- As above where it may stand there already: it stays in its place.
local function enlist(member, openedAt)
  local edge = edgeOf(member)
  local key, part = edgeKeyOf(edge), edgePartOf(member)
  if redis.call('ZSCORE', key, member) then redis.call('ZADD', key, openedAt, member)
  elseif redis.call('ZSCORE', part, member) then redis.call('ZADD', part, openedAt, member)
  else
    local divided = redis.call('ZSCORE', shardKey('edges'), edge)
    enlistNew(member, openedAt, key, divided, redis.call('ZCARD', key))
  end
end

-- Which of KEYS is not ours.
local function wrongType()
  for i = 1, #KEYS do
    local kind = redis.call('TYPE', KEYS[i]).ok
    if kind ~= 'none' and kind ~= TYPES[i] then
      return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind .. ', not a ' .. TYPES[i])
    end
  end
  return redis.error_reply('WRONGTYPE a key of ' .. member)
end
local function isError(reply) return type(reply) == 'table' and reply.err end

-- Records that expired while nobody swept for an hour leave their entries behind, where others renew the index all the
-- time for ever. So some are looked at with each that comes, whichever they are: what counts for nothing is soon no more
-- than what counts.
local function tidy(key, pick, drop)
  for _, other in ipairs(redis.call(pick, key, SOME)) do
    if not redis.call('ZSCORE', aliveKey, other) then redis.call(drop, key, other) end
  end
end

local now = clusterTime()
if not aliveUntil or aliveUntil <= now then return { 'late', '', '' } end

-- All that is read shows a key of another type before anything is written.
local record, aliveBefore = redis.pcall('HGETALL', sessionKey), redis.pcall('ZSCORE', aliveKey, member)
local entries = KEYS[8] ~= sessionKey and redis.pcall('HLEN', KEYS[8]) or 0
local where = KEYS[9] ~= sessionKey and redis.pcall('HGET', KEYS[9], member) or ''
if isError(record) or isError(aliveBefore) or isError(entries) or isError(where) then return wrongType() end

local new, fields, n = {}, {}, 0
for i = 7, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if value ~= '' then
    new[field], fields[n + 1], fields[n + 2] = value, field, value
    n = n + 2
  end
end

local openedAt = tonumber(new.openedAt) or 0
if new.state == 'revoked' then
  new.revokedAt, fields[n + 1], fields[n + 2] = string.format('%.0f', now), 'revokedAt', string.format('%.0f', now)
end
if isBuried(member, new.fingerprint, openedAt) then return { 'late', '', where or '' } end
local status, ended = 'opened', false
local old = tableOf(record)
if old and old.fingerprint ~= new.fingerprint then
  -- A late or repeated open of the session that had the id before: the newer one stays.
  if (tonumber(old.openedAt) or 0) > openedAt then return { 'late', '', '' } end
  status, ended, old = 'replaced', old, false
elseif old and old.state == 'revoked' then
  if (tonumber(old.revokedAt) or 0) >= openedAt then return { 'late', '', where or '' } end
  ended, old = old, false
end

if old then
  status = 'updated'
  local function keep(fields)
    for _, field in ipairs(fields) do new[field] = old[field] end
  end
  if standing(new) < standing(old) and new.state ~= 'revoked' then keep(GRANT) end
  if not new.user then keep(USER) end
  if (PRESENCE[old.presence] or 0) > (PRESENCE[new.presence] or 0) then new.presence = old.presence end
  if (tonumber(old.openedAt) or math.huge) < tonumber(new.openedAt) then new.openedAt = old.openedAt end
  if (tonumber(old.version) or 0) > tonumber(new.version) then new.version = old.version end
  fields = {}
  for field, value in pairs(new) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
end

-- A session that is there stands in the indexes.
local stands = old and aliveBefore and old.openedAt == new.openedAt
  and old.user == new.user and old.channel == new.channel
local divided, size = '0', 0
if not stands then
  divided, size = redis.pcall('ZSCORE', KEYS[4], edgeOf(member)), redis.pcall('ZCARD', KEYS[7])
  if isError(divided) or isError(size) or isError(redis.pcall('ZCARD', channelKey)) or
    isError(redis.pcall('HLEN', KEYS[3])) or ended and isError(redis.pcall('XLEN', KEYS[2])) then
    return wrongType()
  end
end

local revokedAt = ended and forget(member, ended, 'replaced', now, kept)
if not old then
  local told = tell(kept, 'session.opened', member, now, {
    'user', new.user, 'name', new.name, 'channel', new.channel, 'ip', new.ip, 'ua', ARGV[5], 'host', new.host,
    'path', ARGV[6], 'dialect', new.dialect, 'backend', new.backend, 'source', new.source, 'state', new.state,
    'presence', new.presence, 'openedAt', new.openedAt, 'fingerprint', new.fingerprint,
  })
  if isError(told) then return wrongType() end
end
if old and isError(tellChange(kept, member, now, old, new)) then return wrongType() end
if old and (old.user ~= new.user or old.channel ~= new.channel) then unlink(member, old) end

redis.call('HSET', sessionKey, unpack(fields))
for _, field in ipairs(BLANK) do
  if old and old[field] and not new[field] then redis.call('HDEL', sessionKey, field) end
end
if not old or old.presence ~= new.presence or old.state ~= new.state then
  if old then count(old, -1) end
  count(new, 1)
end

-- The time of a session that ended here is over.
aliveUntil = math.max(aliveUntil, not ended and tonumber(aliveBefore) or 0)
redis.call('ZADD', aliveKey, string.format('%.0f', aliveUntil), member)
local life = aliveUntil - now + HOUR
redis.call('PEXPIRE', sessionKey, string.format('%.0f', life))
if not stands then
  redis.call('ZADD', channelKey, new.openedAt, member)
  tidy(channelKey, 'ZRANDMEMBER', 'ZREM')
  -- What is not alive stands nowhere: it was taken out of all indexes at once.
  if aliveBefore or old then enlist(member, new.openedAt)
  else enlistNew(member, new.openedAt, KEYS[7], divided, size) end
end
keepIndex(channelKey, life)
if new.user then
  local userKey = userKeyOf(new.user)
  if userKey ~= KEYS[8] or ended then entries = redis.call('HLEN', userKey) end
  local entry = entries > 0 and redis.call('HGET', userKey, member)
  local notCountedUntil = entry and string.match(entry, '|(%d+)$') or '0'
  -- Records that expired while nobody swept for an hour leave their user's entry behind: it counts for nothing.
  if entries > 0 and entries <= FEW then
    for _, other in ipairs(redis.call('HKEYS', userKey)) do
      if other ~= member and not redis.call('ZSCORE', aliveKey, other) then redis.call('HDEL', userKey, other) end
    end
  elseif entries > FEW and not stands then tidy(userKey, 'HRANDFIELD', 'HDEL')
  end
  redis.call('HSET', userKey, member,
    new.openedAt .. '|' .. device .. '|' .. (new.state == 'revoked' and new.state or new.presence) .. '|' .. notCountedUntil)
  keepIndex(userKey, life)
end

local reply = { status, status == 'replaced' and ended.fingerprint or '', where or '' }
if revokedAt then reply[4], reply[5] = ended.fingerprint, revokedAt end
return reply
