--[[
  One more session of an edge was replaced: its id came back with another fingerprint. Many within a short time are an
  edge that restarted and counts its ids anew.

  KEYS  1 usher:replaced:<edge>   hash: first (cluster time, ms), count; lives for the window
  ARGV  1 window, ms
  Returns how many within the window.
]]
local time = redis.call('TIME')
local sum = redis.call('HINCRBY', KEYS[1], 'count', 1)
if sum == 1 then
  redis.call('HSET', KEYS[1], 'first', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return sum
