-- All transitions of a batch: checks that the writer still holds each entity and that each step is legal, writes cells and
-- times, moves the counters, and ends the leases of entities that are done. All of it or, cell by cell, none of it.
-- May write the values that steps tell of itself, where values rest on others of the same call: none is written then whose entity is
-- not the writer's, nor after one of the same entity that was there already.
--
-- KEYS  wave board times counts claims leases notes logs · pipes to write
-- ARGV  legal steps ("PR RF …") · expiry of keys (Unix s) · 1 when it is not known yet whether values were written that steps tell of
--       · number of claims, then for each: first entity, how many, their records
--       · number of runs of pipes to write, in the order of their keys, then for each: first entity, how many
--       · number of runs, then for each: task, from, to, first entity, how many, their times (8 bytes each, or none)
--       · number of notes, then for each: task, entity, JSON
--       · number of logs, then for each: task, entity, text
--       · number of ends, then for each: first entity, how many
--       · the values of all pipes to write
-- -> {reason if nothing of the wave starts any more or "", entities left, "task entity cell" of each step refused …}
-- Where pipes are to be written and one was there, or an entity is not the writer's, or nothing of the wave starts any more, or Redis is
-- full, the reply is the error APART, and nothing is moved.
-- A step that was made already by the same holder is no error (a repeated call changes nothing). Goes through when Redis is full, but
-- for the logs; only what is not known is an error then, UNSURE, and changes nothing.
local at = 4
local function take()
  local value = ARGV[at]
  at = at + 1
  return value
end
local function number() return tonumber(take()) end

local w = redis.call('HMGET', KEYS[1], 'n', 'tasks', 'cancelled', 'left', 'deadline')
if not w[1] then return redis.error_reply('GONE the wave is gone') end
local n, tasks, cancelled, left = tonumber(w[1]), tonumber(w[2]), closed(w[3], w[5]), tonumber(w[4])
local is_full = full(KEYS[2])
if is_full and ARGV[3] == '1' then return redis.error_reply('UNSURE values may not have been written') end
local pipes = #KEYS - 8
if pipes == 0 then anyway(KEYS[6]) end

local mine = {}
local all_mine = true
for _ = 1, number() do
  local first, many, recs = number(), number(), take()
  if redis.call('GETRANGE', KEYS[5], first * 8, (first + many) * 8 - 1) == recs then
    for e = first, first + many - 1 do mine[e] = true end
  else
    all_mine = false
    for i = 0, many - 1 do
      local e = first + i
      if redis.call('GETRANGE', KEYS[5], e * 8, e * 8 + 7) == string.sub(recs, i * 8 + 1, i * 8 + 8) then mine[e] = true end
    end
  end
end

local key, value, stopped = 9, #ARGV - pipes + 1, {}
local function apart() return redis.error_reply('APART values are to be written one after the other') end
if pipes > 0 and (not all_mine or cancelled or is_full) then return apart() end
for _ = 1, number() do
  local first, many = number(), number()
  for e = first, first + many - 1 do
    if not stopped[e] and not redis.call('SET', KEYS[key], ARGV[value], 'NX', 'EXAT', ARGV[2]) then stopped[e] = true end
    key, value = key + 1, value + 1
  end
end
if next(stopped) then return apart() end

local refused = {}
local function one(task, from, to, e, time)
  local off = task * n + e
  local cell = redis.call('GETRANGE', KEYS[2], off, off)
  if not mine[e] or (cell ~= from and cell ~= to) then
    refused[#refused + 1] = task .. ' ' .. e .. ' ' .. cell
  elseif cell == from then
    redis.call('SETRANGE', KEYS[2], off, to)
    if time ~= '' then redis.call('SETRANGE', KEYS[3], off * 8, time) end
    count(task, from, -1)
    count(task, to, 1)
  end
end

local closing = {}  -- range of entities → how many tasks have just come to an end in all of it
for _ = 1, number() do
  local task, from, to, first, many, times = number(), take(), take(), number(), number(), take()
  if not string.find(ARGV[1], from .. to, 1, true) then return redis.error_reply('ILLEGAL ' .. from .. to) end
  local off, held = task * n + first, true
  for e = first, first + many - 1 do held = held and mine[e] end
  if cancelled and to == 'R' then
    for e = first, first + many - 1 do
      refused[#refused + 1] = task .. ' ' .. e .. ' ' .. redis.call('GETRANGE', KEYS[2], task * n + e, task * n + e)
    end
  elseif held and redis.call('GETRANGE', KEYS[2], off, off + many - 1) == string.rep(from, many) then
    redis.call('SETRANGE', KEYS[2], off, string.rep(to, many))
    if times ~= '' then redis.call('SETRANGE', KEYS[3], off * 8, times) end
    count(task, from, -many)
    count(task, to, many)
    if (from == 'P' or from == 'R') and to ~= 'P' and to ~= 'R' then
      local range = first * 1048576 + many
      closing[range] = (closing[range] or 0) + 1
    end
  else
    for i = 0, many - 1 do one(task, from, to, first + i, string.sub(times, i * 8 + 1, i * 8 + 8)) end
  end
end

for key = 7, 8 do
  local many, any = number(), false
  for _ = 1, many do
    local task, e, text = number(), number(), take()
    if mine[e] and not (is_full and key == 8) then
      redis.call('HSET', KEYS[key], task .. ':' .. e, text)
      any = true
    end
  end
  if any then redis.call('EXPIREAT', KEYS[key], ARGV[2]) end
end

-- An entity is done when it is mine and no cell of it is open.
local done = 0
for _ = 1, number() do
  local first, many = number(), number()
  local open = {}
  local known = closing[first * 1048576 + many] == tasks
  for t = 0, known and -1 or tasks - 1 do
    local cells = redis.call('GETRANGE', KEYS[2], t * n + first, t * n + first + many - 1)
    local i = string.find(cells, '[PR]')
    while i do
      open[i] = true
      i = string.find(cells, '[PR]', i + 1)
    end
  end
  local ids = {}
  for i = 1, many do
    if mine[first + i - 1] and not open[i] then ids[#ids + 1] = first + i - 1 end
  end
  for i = 1, #ids, 2000 do
    done = done + redis.call('ZREM', KEYS[6], unpack(ids, i, math.min(i + 1999, #ids)))
  end
end
if done > 0 then
  left = redis.call('HINCRBY', KEYS[1], 'left', -done)
  if left == 0 then redis.call('HSETNX', KEYS[1], 'ended', clock()) end
end
flush(KEYS[4])
local reply = {cancelled or '', left}
for i, r in ipairs(refused) do reply[i + 2] = r end
return reply
