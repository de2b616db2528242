-- Adds to a counter.
-- KEYS[1] the counter
-- ARGV[1] how much
-- Returns its new value.
return redis.call('INCRBY', KEYS[1], ARGV[1])
