-- What every script of a wave begins with. Redis 6.2 or later; only redis.call, redis.pcall and Lua's string library are used.
--
-- A wave has N entities (0 .. N-1) and T tasks (0 .. T-1). Its keys, all under one hash tag, always passed in:
--   wave     hash    n, tasks, next (first entity never claimed), left (entities not ended), cancelled (the reason), deadline (ms), …
--   board    string  N*T bytes, cell of (task t, entity e) at t*N+e: P R F U O X B C
--   times    string  N*T*8 bytes, at 8*(t*N+e): start, ms since the wave was created, then duration in 10 µs; little-endian u32
--   counts   hash    "<task><cell>" → how many
--   claims   string  N*8 bytes, a record an entity: token u32, crew number u16, attempts u8, 0
--   leases   zset    entity → when its claim ends (ms)
--   returned list    entities given back
--   members  list    "<entity> <partition>", in key form
--   crew     hash    worker → crew number; "#" → how many there are
--   notes    hash    "<task>:<entity>" → JSON, only of cells that have something to say
--   logs     hash    "<task>:<entity>" → text, only of cells that printed

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- Why nothing of a wave starts any more: the reason of its cancellation, or that its deadline has passed; nil while things may start.
local function closed(cancelled, deadline)
  if cancelled then return cancelled end
  if deadline and clock() > tonumber(deadline) then return 'overdue' end
end

local function u32(x)
  return string.char(x % 256, math.floor(x / 256) % 256, math.floor(x / 65536) % 256, math.floor(x / 16777216) % 256)
end

local function record(token, crew, attempts)
  return u32(token) .. string.char(crew % 256, math.floor(crew / 256) % 256, math.min(attempts, 255), 0)
end

-- token, crew, attempts of a record; an entity that nobody has claimed yet has none.
local function parse(rec)
  if #rec < 8 then return 0, 0, 0 end
  local a, b, c, d, e, f, g = string.byte(rec, 1, 7)
  return a + b * 256 + c * 65536 + d * 16777216, e + f * 256, g
end

-- Counters are added up here and written once, by flush().
local delta = {}

local function count(task, cell, by)
  local field = task .. cell
  delta[field] = (delta[field] or 0) + by
end

local function flush(counts)
  for field, by in pairs(delta) do
    if by ~= 0 then redis.call('HINCRBY', counts, field, by) end
  end
end

-- Over its maxmemory, Redis refuses the first command of a script that may need room, and none that comes after a write. What moves a
-- wave on needs next to none and must go through then: those scripts begin with a write that changes nothing. Any sorted set will do.
local function anyway(zset) redis.call('ZREM', zset, '') end

-- Whether Redis is over its maxmemory. Asked before the first write; changes nothing. Any string will do.
local function full(text)
  local answer = redis.pcall('SETRANGE', text, 0, '')
  return type(answer) == 'table' and string.find(answer['err'] or '', 'OOM', 1, true) ~= nil
end

-- Moves one cell, whatever it was.
local function set(board, n, task, entity, from, to)
  redis.call('SETRANGE', board, task * n + entity, to)
  count(task, from, -1)
  count(task, to, 1)
end
