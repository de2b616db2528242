--[[
  Keeps that sessions were not cut, bounded in number and time.

  KEYS[1]  stream: usher:{cuts}:given-up
  ARGV[1]  entries that it holds, about
  ARGV[2]  seconds that an entry is kept
  ARGV[3…] edge, session, outcome, reason, detail, …

  Returns how many were kept.
]]
local ttl = tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

local kept = 0
for i = 3, #ARGV, 5 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'edge', ARGV[i], 'session', ARGV[i + 1],
    'outcome', ARGV[i + 2], 'reason', ARGV[i + 3], 'detail', ARGV[i + 4])
  kept = kept + 1
end
redis.call('XTRIM', KEYS[1], 'MINID', '~', (now - ttl) * 1000)
redis.call('EXPIRE', KEYS[1], ttl)
return kept
