--[[
  Lets what tells where sessions are live as long as they do, in the parts of one home shard; never shorter than before.

  KEYS  1 usher:where:{07}:<part>, any of the shard's  (those of ARGV are built from it)
  ARGV  1 … part, for so long, ms, … (at most 256 parts)
  Returns 1
]]
local parts = string.match(KEYS[1], '^.*:')
for i = 1, #ARGV, 2 do redis.call('PEXPIRE', parts .. ARGV[i], ARGV[i + 1], 'GT') end
return 1
