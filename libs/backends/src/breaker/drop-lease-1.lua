--[[
  Gives a lease back without a result, if it is still this one. Idempotent.

  KEYS[1]  usher:breaker:{<backend>}:lease   string: who probes
  ARGV[1]  the lease

  Returns  1 if it was held, else 0.
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
