--[[
  Their edge lists them: sessions whose life was only assumed have presence `listed` from now on.

  KEYS  1 usher:alive:{07}
  ARGV  1 … members (at most 500)
  Returns how many were changed.
]]
local changed = 0
for _, member in ipairs(ARGV) do
  local key = sessionKeyOf(member)
  local values = redis.pcall('HMGET', key, 'presence', 'user')
  if values[1] == 'assumed' then
    redis.call('HSET', key, 'presence', 'listed')
    count({ presence = 'assumed' }, -1)
    count({ presence = 'listed' }, 1)
    if values[2] then
      local entry = redis.pcall('HGET', userKeyOf(values[2]), member)
      if type(entry) == 'string' then
        redis.call('HSET', userKeyOf(values[2]), member, (string.gsub(entry, '|assumed|', '|listed|')))
      end
    end
    changed = changed + 1
  end
end
return changed
