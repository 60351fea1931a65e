-- Takes a batch of entities under a lease: those whose lease ran out first, then those given back, then those never claimed.
--
-- KEYS  wave members board counts claims leases returned crew times
-- ARGV  how many · lease (ms) · worker · most attempts · expiry of keys (Unix s) · tasks that those never claimed begin at once ("0 1 2")
--       · when it is too late (ms; 0: never): who asked does not wait for an answer any more, and is given nothing
-- -> {"gone"} no such wave · {"ended", 0} · {"cancelled", left} · {"overdue", left}
--  | {"full", left} Redis is over its maxmemory: nobody takes up work whose results it would not keep
--  | {"ok", now (ms), queued, next lease end (ms) or 0, crew,
--     first, how many never claimed, their record, {members},
--     {taken up again}, {their records}, {their cells, a string of T bytes each}, {their members}}
local want, lease, worker, most, expire = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = clock()
local w = redis.call('HMGET', KEYS[1], 'n', 'tasks', 'next', 'cancelled', 'deadline', 'left', 'created')
if not w[1] then return {'gone'} end
local n, tasks, next_, left = tonumber(w[1]), tonumber(w[2]), tonumber(w[3]), tonumber(w[6])
if left == 0 then return {'ended', 0} end
if not w[4] and closed(w[4], w[5]) then return {'overdue', left} end
if not w[4] and full(KEYS[3]) then return {'full', left} end
anyway(KEYS[6])

local function cells_of(entity)
  local cells = {}
  for t = 0, tasks - 1 do cells[t + 1] = redis.call('GETRANGE', KEYS[3], t * n + entity, t * n + entity) end
  return cells
end

-- What a dead worker held is taken up one by one: if it kills again, it is known which cell did.
local late = ARGV[7] ~= '0' and now > tonumber(ARGV[7])
local expired = late and {} or redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, w[4] and 1000 or 1)
if late then want = 0 elseif #expired > 0 then want = 1 end
if w[4] then
  -- Nobody will come back for these: their workers are gone, or too late to change anything.
  for _, id in ipairs(expired) do
    for t, cell in ipairs(cells_of(tonumber(id))) do
      if cell == 'P' or cell == 'R' then set(KEYS[3], n, t - 1, tonumber(id), cell, 'C') end
    end
    local token, crew, attempts = parse(redis.call('GETRANGE', KEYS[5], id * 8, id * 8 + 7))
    redis.call('SETRANGE', KEYS[5], id * 8, record(token + 1, crew, attempts))
    redis.call('ZREM', KEYS[6], id)
  end
  flush(KEYS[4])
  if #expired > 0 then left = redis.call('HINCRBY', KEYS[1], 'left', -#expired) end
  if left == 0 then redis.call('HSETNX', KEYS[1], 'ended', now) end
  return {'cancelled', left}
end

local crew = redis.call('HGET', KEYS[8], worker)
if not crew then
  crew = redis.call('HINCRBY', KEYS[8], '#', 1)
  redis.call('HSET', KEYS[8], worker, crew)
  redis.call('EXPIREAT', KEYS[8], expire)
end
crew = tonumber(crew)

local again = expired
for _, id in ipairs(expired) do
  local token, old, attempts = parse(redis.call('GETRANGE', KEYS[5], id * 8, id * 8 + 7))
  for t, cell in ipairs(cells_of(tonumber(id))) do
    -- What ran when the last of `most` workers died is not run again. Whoever takes it up knows whether its pipe is there, and says so.
    if cell == 'R' and attempts < most then set(KEYS[3], n, t - 1, tonumber(id), 'R', 'P') end
  end
end
if #again < want then
  local back = redis.call('LPOP', KEYS[7], want - #again)
  if back then
    for _, id in ipairs(back) do again[#again + 1] = id end
  end
end
local records, cells, members = {}, {}, {}
for i, id in ipairs(again) do
  local token, old, attempts = parse(redis.call('GETRANGE', KEYS[5], id * 8, id * 8 + 7))
  records[i] = record(token + 1, crew, attempts + 1)
  redis.call('SETRANGE', KEYS[5], id * 8, records[i])
  redis.call('ZADD', KEYS[6], now + lease, id)
  cells[i] = table.concat(cells_of(tonumber(id)))
  members[i] = redis.call('LINDEX', KEYS[2], id)
end

local fresh = math.min(want - #again, n - next_)
local first, names, rec = next_, {}, record(1, crew, 1)
if fresh > 0 then
  if first == 0 then redis.call('HSETNX', KEYS[1], 'started', now) end
  redis.call('HSET', KEYS[1], 'next', next_ + fresh)
  redis.call('SETRANGE', KEYS[5], first * 8, string.rep(rec, fresh))
  local lease_args = {}
  for i = 0, fresh - 1 do
    lease_args[2 * i + 1] = now + lease
    lease_args[2 * i + 2] = first + i
  end
  for i = 1, #lease_args, 2000 do
    redis.call('ZADD', KEYS[6], unpack(lease_args, i, math.min(i + 1999, #lease_args)))
  end
  names = redis.call('LRANGE', KEYS[2], first, first + fresh - 1)
  local time = string.rep(u32(now - tonumber(w[7])) .. u32(0), fresh)
  for task in string.gmatch(ARGV[6], '%d+') do
    local at = tonumber(task) * n + first
    redis.call('SETRANGE', KEYS[3], at, string.rep('R', fresh))
    redis.call('SETRANGE', KEYS[9], at * 8, time)
    count(task, 'P', -fresh)
    count(task, 'R', fresh)
  end
end
if fresh > 0 or #again > 0 then redis.call('EXPIREAT', KEYS[6], expire) end
flush(KEYS[4])
local queued = n - next_ - fresh + redis.call('LLEN', KEYS[7])
local head = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
return {'ok', now, queued, math.floor(tonumber(head[2] or 0)), crew, first, fresh, rec, names, again, records, cells, members}
