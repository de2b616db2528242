--[[
  Their edge lists them: sessions whose life was only assumed have presence `listed` from now on (session.updated).

  KEYS  1 usher:alive:{07}
  ARGV  1 events kept  2 … members (at most 500)
  Returns how many were changed.
]]
local changed, now = 0, clusterTime()
for i = 2, #ARGV do
  local member = ARGV[i]
  local key = sessionKeyOf(member)
  local hash = tableOf(redis.pcall('HGETALL', key))
  if hash and hash.presence == 'assumed' then
    local before = toldOf(hash)
    hash.presence = 'listed'
    redis.call('HSET', key, 'presence', hash.presence)
    count({ presence = before.presence }, -1)
    count({ presence = hash.presence }, 1)
    if hash.user then
      local entry = redis.pcall('HGET', userKeyOf(hash.user), member)
      if type(entry) == 'string' then
        redis.call('HSET', userKeyOf(hash.user), member, (string.gsub(entry, '|assumed|', '|listed|')))
      end
    end
    tellChange(ARGV[1], member, now, before, hash)
    changed = changed + 1
  end
end
return changed
