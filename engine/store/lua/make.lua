-- Makes a wave: announces its pipes, writes its keys, says who started it, lists its version, and queues it. One call does as many of
-- these parts as it is asked for, in the order given: on one server all of them, so that there is all of a wave or nothing; on a
-- cluster, where a call has keys of one slot, a call for each part. A wave that is there already is left as it is, and so is all else.
--
-- The first write of each part that another slot may hold needs room: of a full Redis the call is refused before it has changed anything.
--
-- ARGV  parts ("announce write …") · the wave's id · entities · tasks ("a b") · expiry (Unix s), then what each part wants
-- KEYS  of each part:                                            ARGV of each part:
--   announce  pipes, and at:TASK dates:TASK of each task           date · its start (Unix s)
--   write     wave members board times claims counts plan body     plan · body · how many members · these members ·
--             and the draft that holds them when none are given    how many words · the record, field and value
--   tell      acts                                                 about how many are kept · life (s) · how many words · fields and values
--   list      versions                                             version · life (s)
--   queue     waves queue bell flows                               created (ms) · age at which waves leave the list (ms) · place in the
--                                                                  queue · flow · plan · life of the flows (s) · tokens for the bell
-- -> {"there"} | {"made", the tasks that others have announced pipes of: "a b"}
local id, n, names, expire = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now = tonumber(redis.call('TIME')[1])
local key_at, arg_at = 0, 5
local function key()
  key_at = key_at + 1
  return KEYS[key_at]
end
local function arg()
  arg_at = arg_at + 1
  return ARGV[arg_at]
end
local function words()
  local first = arg_at + 2
  arg_at = first - 1 + tonumber(ARGV[first - 1])
  return first, arg_at
end

-- A command with many values of a list, some at a time.
local function many(command, name, values, first, last)
  for i = first or 1, last or #values, 1000 do
    redis.call(command, name, unpack(values, i, math.min(i + 999, last or #values)))
  end
end

-- Several waves share such a key: it lives as long as the last of them, and a day longer, so that the next ones need not prolong it.
local function no_sooner(name)
  local life = redis.call('TTL', name)
  if life < 0 or now + life < expire then redis.call('EXPIREAT', name, expire + 86400) end
end

local there, taken = false, ''
local parts = {}

function parts.announce()
  local pipes, tasks = key(), {}
  for task in string.gmatch(names, '%S+') do tasks[#tasks + 1] = {task, key(), key()} end
  local date, start = arg(), arg()
  return function()
    local found, written = {}, {}
    for i, of in ipairs(tasks) do
      local task, at, dates = of[1], of[2], of[3]
      local new = redis.call('HSET', at, 'w:' .. id, n)
      if redis.call('HLEN', at) > 1 then
        found[#found + 1] = task
        no_sooner(at)
      elseif new == 1 then
        redis.call('EXPIREAT', at, expire)
      end
      redis.call('ZADD', dates, start, date)
      no_sooner(dates)
      written[2 * i - 1], written[2 * i] = now, task
    end
    many('ZADD', pipes, written)
    no_sooner(pipes)
    taken = table.concat(found, ' ')
    return true
  end
end

function parts.write()
  local wave, members, board, times, claims, counts = key(), key(), key(), key(), key(), key()
  local plan_key, body_key, plan, body = key(), key(), arg(), arg()
  local first, last = words()
  local draft = first > last and key()
  local record, record_end = words()
  there = redis.call('EXISTS', wave) == 1
  return function(announced)
    if draft then
      redis.call('RENAME', draft, members)
    else
      many('RPUSH', members, ARGV, first, last)
    end
    local tasks, pending = 0, {}
    for _ in string.gmatch(names, '%S+') do
      pending[2 * tasks + 1], pending[2 * tasks + 2] = tasks .. 'P', n
      tasks = tasks + 1
    end
    many('HSET', counts, pending)
    redis.call('SET', board, string.rep('P', n * tasks), 'EXAT', expire)
    redis.call('SETRANGE', times, n * tasks * 8 - 1, '\0')
    redis.call('SETRANGE', claims, n * 8 - 1, '\0')
    redis.call('SET', plan_key, plan, 'EXAT', expire)
    redis.call('SET', body_key, body, 'EXAT', expire)
    redis.call('HSET', wave, unpack(ARGV, record, record_end))
    if announced and taken ~= '' then redis.call('HSET', wave, 'checks', taken) end
    for _, name in ipairs({wave, members, times, claims, counts}) do redis.call('EXPIREAT', name, expire) end
  end
end

function parts.tell()
  local acts, most, life = key(), arg(), arg()
  local first, last = words()
  return function()
    redis.call('XADD', acts, 'MAXLEN', '~', most, '*', unpack(ARGV, first, last))
    redis.call('EXPIRE', acts, life)
  end
end

function parts.list()
  local versions, version, life = key(), arg(), arg()
  return function()
    redis.call('ZADD', versions, now, version)
    redis.call('ZREMRANGEBYSCORE', versions, '-inf', now - life)
    redis.call('EXPIRE', versions, life)
  end
end

function parts.queue()
  local waves, queue, bell, flows = key(), key(), key(), key()
  local created, age, place, flow, plan, life, tokens = arg(), arg(), arg(), arg(), arg(), arg(), arg()
  return function()
    redis.call('HSET', flows, flow, plan)
    redis.call('EXPIRE', flows, life)
    redis.call('ZADD', waves, created, id)
    redis.call('ZREMRANGEBYSCORE', waves, '-inf', created - age)
    redis.call('ZADD', queue, place, id)
    no_sooner(waves)
    no_sooner(queue)
    local ring = {}
    for i = 1, tokens do ring[i] = id end
    many('RPUSH', bell, ring)
    redis.call('LTRIM', bell, 0, 255)
    redis.call('EXPIRE', bell, 3600)
  end
end

local todo = {}
for part in string.gmatch(ARGV[1], '%a+') do todo[#todo + 1] = parts[part]() end
if there then return {'there'} end
local announced
for _, act in ipairs(todo) do announced = act(announced) or announced end
return {'made', taken}
