--[[
  Forgets where a session is, unless it is somewhere else by now.

  KEYS  1 usher:where:{07}:<part>
  ARGV  1 member  2 the shard that it was in
  Returns 1 if it was forgotten, else 0.
]]
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
