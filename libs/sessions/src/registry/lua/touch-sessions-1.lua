--[[
  Signs of life: pushes alive-until forwards, never back, and never revives what is not listed as alive. A session's
  hash outlives its alive-until by an hour and is renewed here once half of that hour is used up, and the indexes of its
  user and channel with it, so that a sign of life is mostly one ZADD. Whoever asks again and again is counted: field
  `checks`, those after the first.

  KEYS  1 usher:alive:{07}
  ARGV  1 … alive-until (cluster time, ms), checks since the last sign, member, … (at most 500 of them)
  Returns {members renewed, members missing}; whoever keeps a `where` key renews it with the first.
  Errors  WRONGTYPE where KEYS[1] is no sorted set.
]]
local now = clusterTime()
local scores, renewed, missing = {}, {}, {}
for i = 1, #ARGV, 3 do
  local aliveUntil, checks, member = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local key = sessionKeyOf(member)
  local score, life = redis.call('ZSCORE', aliveKey, member), redis.call('PTTL', key)
  if not score or life == -2 then
    missing[#missing + 1] = member
  else
    if checks ~= '0' then redis.pcall('HINCRBY', key, 'checks', checks) end
    if tonumber(score) < aliveUntil then
      scores[#scores + 1] = ARGV[i]
      scores[#scores + 1] = member
      if life < aliveUntil - now + HOUR / 2 then
        local index = redis.pcall('HMGET', key, 'user', 'channel')
        redis.call('PEXPIRE', key, string.format('%.0f', aliveUntil - now + HOUR))
        if index[1] then keepIndex(userKeyOf(index[1]), aliveUntil - now + HOUR) end
        if index[2] then keepIndex(channelKeyOf(index[2]), aliveUntil - now + HOUR) end
        renewed[#renewed + 1] = member
      end
    end
  end
end
if #scores > 0 then redis.call('ZADD', aliveKey, 'XX', 'GT', unpack(scores)) end
return { renewed, missing }
