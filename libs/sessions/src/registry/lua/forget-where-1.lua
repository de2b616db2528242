--[[
  Forgets where a session is, unless it is somewhere else by now.

  KEYS  1 usher:where:<edge>:<id>
  ARGV  1 the shard that it was in
  Returns 1 if it was forgotten, else 0.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
