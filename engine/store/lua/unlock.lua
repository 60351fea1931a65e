-- Gives up a lock that the caller holds still.
--
-- KEYS  lock
-- ARGV  token
-- -> 1 when it was the caller's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
