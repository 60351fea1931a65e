-- A worker's sign of life. It overwrites what is there, so it goes through when Redis is full.
--
-- KEYS  alive was workers
-- ARGV  worker · its record · seconds until it is silent · its record without slots · seconds that it is remembered · now (Unix s)
--       · how many workers are remembered
anyway(KEYS[3])
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[6] - ARGV[5])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -ARGV[7] - 1)
redis.call('EXPIRE', KEYS[3], ARGV[5])
return redis.status_reply('OK')
