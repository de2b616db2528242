--[[
  Ends sessions whose time is up, the longest dead first. The reason tells how we knew that they lived: `idle` for one
  that showed itself, `expired` for one that was listed or assumed.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:counts:{07}
  ARGV  1 at most so many (≤ 500)  2 events kept
  Returns {members closed but for those that went idle, how many were listed as alive and had no record left, of those
          that had been revoked: member, fingerprint, when, …, members that went idle and had not been revoked}.
  Errors  WRONGTYPE where KEYS[1] is no sorted set. A record of another type than ours is left alone and unlisted.
]]
local now = clusterTime()
local closed, lost, revoked, idle = {}, 0, {}, {}
local due = redis.call('ZRANGEBYSCORE', aliveKey, '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  local key = sessionKeyOf(member)
  local hash = redis.call('TYPE', key).ok == 'hash' and hashOf(key)
  if hash then
    local isSeen = hash.presence == 'seen'
    local revokedAt = forget(member, hash, isSeen and 'idle' or 'expired', now, ARGV[2])
    local ended = isSeen and not revokedAt and idle or closed
    ended[#ended + 1] = member
    if revokedAt then
      for _, word in ipairs({ member, hash.fingerprint, revokedAt }) do revoked[#revoked + 1] = word end
    end
  else
    unlist(member)
    lost = lost + 1
  end
end
return { closed, lost, revoked, idle }
