-- Ends a wave: when this returns, nothing of it starts any more. What was never claimed or was given back is cancelled here, a
-- column at a time; what workers hold is cancelled by them when they next speak, or by the next claim once their lease ran out.
-- Goes through when Redis is full. A wave that is overdue may still be cancelled: what of it runs is ended then.
--
-- KEYS  wave board counts returned leases
-- ARGV  reason · who
-- -> {cells cancelled here, entities that workers still hold} | false: no such wave, it has ended, or it was cancelled before
local w = redis.call('HMGET', KEYS[1], 'n', 'tasks', 'next', 'cancelled', 'left')
if not w[1] or tonumber(w[5]) == 0 or (w[4] and (w[4] ~= 'overdue' or ARGV[1] == 'overdue')) then return false end
local n, tasks, next_, left = tonumber(w[1]), tonumber(w[2]), tonumber(w[3]), tonumber(w[5])
local now = clock()
anyway(KEYS[5])
redis.call('HSET', KEYS[1], 'cancelled', ARGV[1], 'cancelled_by', ARGV[2], 'cancelled_at', now, 'next', n)
local cells, rest = 0, n - next_
if rest > 0 then
  local column = string.rep('C', rest)
  for t = 0, tasks - 1 do
    redis.call('SETRANGE', KEYS[2], t * n + next_, column)
    count(t, 'P', -rest)
    count(t, 'C', rest)
  end
  cells = rest * tasks
end
local back = redis.call('LRANGE', KEYS[4], 0, -1)
for _, id in ipairs(back) do
  for t = 0, tasks - 1 do
    if redis.call('GETRANGE', KEYS[2], t * n + id, t * n + id) == 'P' then
      set(KEYS[2], n, t, tonumber(id), 'P', 'C')
      cells = cells + 1
    end
  end
end
redis.call('DEL', KEYS[4])
left = left - rest - #back
redis.call('HSET', KEYS[1], 'left', left)
if left == 0 then redis.call('HSETNX', KEYS[1], 'ended', now) end
flush(KEYS[3])
return {cells, left}
