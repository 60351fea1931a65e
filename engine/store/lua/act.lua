-- Adds an act to the log, when Redis is full too: a wave must be cancelled then more than ever.
--
-- KEYS  acts
-- ARGV  about how many are kept · seconds until the log expires · fields and values
-- -> the act's id
redis.call('XDEL', KEYS[1], '0-0')
local act = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return act
