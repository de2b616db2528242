--[[
  Appends answers of one kind that were not plain allows to a shard's stream of them, bounded in number and time.

  KEYS[1]  stream: usher:why:{shard}:denied, :refused or :unavailable
  ARGV[1]  answers that it holds, about
  ARGV[2]  seconds that an answer is kept
  ARGV[3…] answers, JSON, the oldest first

  Returns the stream's length.
]]
local ttl = tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

for i = 3, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'answer', ARGV[i])
end
redis.call('XTRIM', KEYS[1], 'MINID', '~', (now - ttl) * 1000)
redis.call('EXPIRE', KEYS[1], ttl)
return redis.call('XLEN', KEYS[1])
