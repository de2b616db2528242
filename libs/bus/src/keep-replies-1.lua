-- Keeps an asker's stream of replies alive, or makes it. Servers only add to one that exists, so that the stream of
-- a crashed asker expires, and is not made again by a late reply.
--
-- KEYS[1]  the asker's stream    ARGV[1]  time to live, s
-- Returns the id of the last entry ever added ('0-0' in a new one): where it is below what the asker has read,
-- the stream is a new one of a Redis whose clock is behind.

local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], 'none', '$', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[1], 'none')
else
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return last
