--[[
  Remembers of a session that lived in another shard that it was revoked, and is over: at home, where it is looked up.

  KEYS  1 usher:alive:{07}, of the session's home shard  (usher:revoked:{07} is built from its tag)
  ARGV  1 member  2 fingerprint  3 revoked at (cluster time, ms)
  Returns 1
]]
bury(ARGV[1], ARGV[2], ARGV[3])
return 1
