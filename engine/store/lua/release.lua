-- Gives entities back that were not ended: their running cells are pending again, the next claim serves them, and whoever
-- held them can change nothing any more. What had ended stays. Not counted as an attempt. On a cancelled wave they are cancelled.
-- Goes through when Redis is full.
--
-- KEYS  wave board counts claims leases returned
-- ARGV  expiry of keys (Unix s) · number of claims, then for each: first entity, how many, their records
-- -> how many were given back
local w = redis.call('HMGET', KEYS[1], 'n', 'tasks', 'cancelled')
if not w[1] then return 0 end
local n, tasks = tonumber(w[1]), tonumber(w[2])
anyway(KEYS[5])
local back = {}
local at = 3
for _ = 1, tonumber(ARGV[2]) do
  local first, many, recs = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  for i = 0, many - 1 do
    local e = first + i
    local rec = string.sub(recs, i * 8 + 1, i * 8 + 8)
    if redis.call('GETRANGE', KEYS[4], e * 8, e * 8 + 7) == rec and redis.call('ZREM', KEYS[5], e) == 1 then
      for t = 0, tasks - 1 do
        local cell = redis.call('GETRANGE', KEYS[2], t * n + e, t * n + e)
        if w[3] and (cell == 'P' or cell == 'R') then
          set(KEYS[2], n, t, e, cell, 'C')
        elseif cell == 'R' then
          set(KEYS[2], n, t, e, 'R', 'P')
        end
      end
      local token, crew, attempts = parse(rec)
      redis.call('SETRANGE', KEYS[4], e * 8, record(token + 1, crew, math.max(attempts - 1, 0)))
      back[#back + 1] = e
    end
  end
end
if #back > 0 and w[3] then
  if redis.call('HINCRBY', KEYS[1], 'left', -#back) == 0 then redis.call('HSETNX', KEYS[1], 'ended', clock()) end
elseif #back > 0 then
  for i = 1, #back, 2000 do redis.call('RPUSH', KEYS[6], unpack(back, i, math.min(i + 1999, #back))) end
  redis.call('EXPIREAT', KEYS[6], ARGV[1])
end
flush(KEYS[3])
return #back
