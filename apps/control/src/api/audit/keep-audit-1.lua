--[[
  Appends one entry to the audit log, bounded in number and time.

  KEYS[1]  stream: usher:audit
  ARGV[1]  entries that it holds, about
  ARGV[2]  seconds that an entry is kept
  ARGV[3]  the entry's number: the same one again (a command that came twice) is not written
  ARGV[4…] field, value, …

  Returns 1, or 0 where the last 16 entries hold this number.
]]
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 16)) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'number' and entry[2][i + 1] == ARGV[3] then return 0 end
  end
end
local fields = {}
for i = 4, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'number', ARGV[3], unpack(fields))
redis.call('XTRIM', KEYS[1], 'MINID', '~', (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[2])) * 1000)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
