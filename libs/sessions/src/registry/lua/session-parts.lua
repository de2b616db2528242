--[[
  Put in front of every script that changes sessions: what they share. All keys of a shard carry one tag ({07}), so
  that whatever a session touches lies in one slot. KEYS[1] of each such script is the shard's `usher:alive:{07}`; the
  keys of a session that is only found on the way (the one that is replaced, the one that expired) are built here from
  that tag and from the names in its hash, where names stand encoded as they stand in keys (`user` is <namespace>/<user>).
  A member names a session in every index: <edge>:<session id>, both encoded, so that the one colon parts them.
]]
local aliveKey = KEYS[1]
local tag = string.match(aliveKey, '{[^}]*}')
local function shardKey(kind) return 'usher:' .. kind .. ':' .. tag end
local function sessionKeyOf(member) return shardKey('session') .. ':' .. member end
local function userKeyOf(user) return shardKey('user') .. ':' .. user end
local function channelKeyOf(channel) return shardKey('channel') .. ':' .. channel end
local function edgeKeyOf(edge) return shardKey('edge') .. ':' .. edge end
local function edgeOf(member) return string.match(member, '^[^:]*') end

local MINUTE, HOUR = 60000, 3600000

-- Cluster time, ms.
local function clusterTime()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- An index of a user or a channel lives at least as long as the records that it names, ms: what they leave behind where
-- they expire unswept goes with it. Longer than it must, so that it is renewed once an hour and not with each of them.
local function keepIndex(key, life)
  if redis.call('PTTL', key) < life + MINUTE then redis.call('PEXPIRE', key, string.format('%.0f', life + HOUR)) end
end

-- What HGETALL says as a table; false where the hash is missing.
local function tableOf(reply)
  if #reply == 0 then return false end
  local hash = {}
  for i = 1, #reply, 2 do hash[reply[i]] = reply[i + 1] end
  return hash
end
local function hashOf(key) return tableOf(redis.call('HGETALL', key)) end

-- The sessions of one edge stand in `usher:edge:{07}:<edge>`; where that is full, a further one stands in the one of
-- `usher:edge:{07}:<edge>:00` to `:15` that its name tells. Redis keeps a sorted set of up to 128 in a third of the
-- memory of a larger one (measured: 39 bytes an entry instead of 129). `usher:edges:{07}` has score 1 for an edge that
-- has been so divided.
local EDGE_FULL, EDGE_PARTS = 128, 16
local function edgePartOf(member)
  local a, b, c, d = string.byte('000' .. member, -4, -1)
  return string.format('%s:%02d', edgeKeyOf(edgeOf(member)), (((a * 37 + b) * 37 + c) * 37 + d) % EDGE_PARTS)
end
local function isDivided(edge) return redis.call('ZSCORE', shardKey('edges'), edge) == '1' end

-- All keys that may hold sessions of an edge, in the order in which they are listed.
local function edgeKeysOf(edge)
  local keys = { edgeKeyOf(edge) }
  if isDivided(edge) then
    for part = 0, EDGE_PARTS - 1 do keys[part + 2] = string.format('%s:%02d', keys[1], part) end
  end
  return keys
end

-- Who was revoked and is over leaves name, fingerprint and when he was revoked behind: whoever missed the news may offer
-- back what was opened before. The newest of a shard, for an hour after the last.
local REVOKED_KEPT = 2048
local function revokedName(member, fingerprint) return member .. ':' .. string.sub(fingerprint, 1, 16) end
local function bury(member, fingerprint, revokedAt)
  local key = shardKey('revoked')
  redis.pcall('ZADD', key, 'GT', revokedAt, revokedName(member, fingerprint))
  redis.pcall('ZREMRANGEBYRANK', key, 0, -(REVOKED_KEPT + 1))
  redis.pcall('PEXPIRE', key, HOUR)
end

-- Whether a session that was opened then was revoked since, and is over.
local function isBuried(member, fingerprint, openedAt)
  local revokedAt = redis.pcall('ZSCORE', shardKey('revoked'), revokedName(member, fingerprint))
  return type(revokedAt) == 'string' and openedAt <= tonumber(revokedAt)
end

-- One session more or less by presence and state.
local function count(hash, by)
  if hash.presence then redis.pcall('HINCRBY', shardKey('counts'), 'presence:' .. hash.presence, by) end
  if hash.state then redis.pcall('HINCRBY', shardKey('counts'), 'state:' .. hash.state, by) end
end

-- An event into the shard's stream. `facts` is a list of names and values; missing ones are left out. Gives back what
-- Redis says: an error where the stream is none.
local function tell(kept, kind, member, now, facts)
  local entry = { 'type', kind, 'session', member, 'at', string.format('%.0f', now) }
  for i = 1, #facts, 2 do
    if facts[i + 1] and facts[i + 1] ~= '' then
      entry[#entry + 1] = facts[i]
      entry[#entry + 1] = facts[i + 1]
    end
  end
  return redis.pcall('XADD', shardKey('events'), 'MAXLEN', '~', kept, '*', unpack(entry))
end

-- What of a session is told of when it changes.
local function toldOf(hash)
  return { state = hash.state, source = hash.source, user = hash.user, presence = hash.presence }
end

-- Tells that a session goes on otherwise than before, where one of these facts is another one now. `before`: its hash, or
-- what `toldOf` said of it. Gives back what Redis says, nothing where nothing is told.
local function tellChange(kept, member, now, before, after)
  local changed = {}
  for _, field in ipairs({ 'state', 'source', 'user', 'presence' }) do
    if before[field] ~= after[field] then changed[#changed + 1] = field end
  end
  if #changed == 0 then return end
  local function was(field) return before[field] ~= after[field] and before[field] end
  return tell(kept, 'session.updated', member, now, {
    'changed', table.concat(changed, ','),
    'stateBefore', was('state'), 'sourceBefore', was('source'), 'presenceBefore', was('presence'),
    'user', after.user, 'name', after.name, 'channel', after.channel, 'ip', after.ip, 'backend', after.backend,
    'source', after.source, 'state', after.state, 'presence', after.presence, 'openedAt', after.openedAt,
  })
end

-- Takes a member out of the indexes that its name alone tells.
local function unlist(member)
  redis.pcall('ZREM', aliveKey, member)
  local edge = edgeOf(member)
  local key = edgeKeyOf(edge)
  local size = redis.pcall('ZCARD', key)
  if type(size) ~= 'number' then size = 0 end
  if size >= EDGE_FULL then
    -- More stand in its parts, mostly.
    if redis.pcall('ZREM', edgePartOf(member), member) ~= 1 then redis.pcall('ZREM', key, member) end
  elseif redis.pcall('ZREM', key, member) ~= 1 then
    redis.pcall('ZREM', edgePartOf(member), member)
  end
  if size <= 1 and redis.call('EXISTS', unpack(edgeKeysOf(edge))) == 0 then
    redis.pcall('ZREM', shardKey('edges'), edge)
  end
end

-- Takes a session out of its user's and its channel's index.
local function unlink(member, hash)
  if hash.user then redis.pcall('HDEL', userKeyOf(hash.user), member) end
  if hash.channel then redis.pcall('ZREM', channelKeyOf(hash.channel), member) end
end

-- What is told of a session that ended, or has to.
local function tellEnd(kept, kind, member, now, reason, hash)
  tell(kept, kind, member, now, {
    'reason', reason, 'user', hash.user, 'channel', hash.channel, 'ip', hash.ip,
    'backend', hash.backend, 'source', hash.source, 'state', hash.state, 'presence', hash.presence,
    'openedAt', hash.openedAt, 'fingerprint', hash.fingerprint,
    'lasted', string.format('%.0f', math.max(0, now - (tonumber(hash.openedAt) or now))),
    'checks', string.format('%.0f', (tonumber(hash.checks) or 0) + 1),
  })
end

-- Ends a session: hash, indexes, counts, event. One that was revoked ends for the reason that it was revoked for. A key
-- of another type than ours among them is left alone. Gives back when it was revoked; nothing where it was not.
local function forget(member, hash, reason, now, kept)
  unlist(member)
  unlink(member, hash)
  count(hash, -1)
  redis.call('DEL', sessionKeyOf(member))
  if reason == 'moved' then return tellEnd(kept, 'session.moved', member, now, reason, hash) end
  tellEnd(kept, 'session.closed', member, now, hash.revokedFor or reason, hash)
  if hash.state ~= 'revoked' or not hash.fingerprint then return end
  local revokedAt = hash.revokedAt or string.format('%.0f', now)
  bury(member, hash.fingerprint, revokedAt)
  return revokedAt
end
