-- Prolongs the leases of entities that the caller still holds, when Redis is full too. What others hold by now, or nobody, is lost;
-- what has ended is not.
--
-- KEYS  wave claims leases
-- ARGV  lease (ms) · number of claims, then for each: first entity, how many, their records
-- -> {reason if nothing of the wave starts any more or "", how many were renewed, each entity lost …}
anyway(KEYS[3])
local till = clock() + tonumber(ARGV[1])
local renewed, at, lost = 0, 3, {}
for _ = 1, tonumber(ARGV[2]) do
  local first, many, recs = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  for i = 0, many - 1 do
    local e = first + i
    if redis.call('GETRANGE', KEYS[2], e * 8, e * 8 + 7) ~= string.sub(recs, i * 8 + 1, i * 8 + 8) then
      lost[#lost + 1] = e
    elseif redis.call('ZSCORE', KEYS[3], e) then
      redis.call('ZADD', KEYS[3], till, e)
      renewed = renewed + 1
    end
  end
end
local w = redis.call('HMGET', KEYS[1], 'cancelled', 'deadline')
local reply = {closed(w[1], w[2]) or '', renewed}
for i, e in ipairs(lost) do reply[i + 2] = e end
return reply
