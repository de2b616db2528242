--[[
  Keeps that a session could not be cut, bounded in number and time.

  KEYS[1]  stream: usher:{cuts}:given-up
  ARGV[1]  entries that it holds, about
  ARGV[2]  seconds that an entry is kept
  ARGV[3…] field, value …

  Returns the entry's id.
]]
local ttl = tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
redis.call('XTRIM', KEYS[1], 'MINID', '~', (now - ttl) * 1000)
redis.call('EXPIRE', KEYS[1], ttl)
return id
