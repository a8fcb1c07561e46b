-- What every transition shares. The state is sets of leases and waiters; nothing is counted beside them.
-- Fields of a record are joined by '|', which no id may contain; the last one is JSON that is never read here.
-- Times are milliseconds of Redis' own clock: whole numbers of 13 digits, which Lua writes exactly (up to 14).
local LEASES, EXPIRY, HELD, GRANTED, ENDS, WAITERS, QUEUE, TOUCHED, ACCOUNTS, BUDGETS, META, EVENTS, TALLY, HISTORY,
  HISTORY_COARSE = unpack(KEYS)
local CHANNEL = string.sub(META, 1, -5) .. 'grants'
local call = redis.call

-- A waiter's head start for each step of priority. It is far longer than a queue lasts, so that a higher priority
-- goes first, and yet finite, so that nobody starves.
local HEAD_START_US = 3600 * 1e6
local WAITER_LIFE_MS = 120 * 1000
-- How far ahead a start may be booked for the sake of `stagger`, holding its slot meanwhile.
local BOOKING_MS = 3000
local EVENTS_KEPT = 2000

local now, now_us
local meta = {}

local function event(kind, id, account, info)
  call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'lease_id', id, 'account_id', account, 'info',
    info or '')
end

local function count(what, account, amount)
  call('HINCRBY', TALLY, what .. '|' .. account, amount or 1)
end

-- Records -------------------------------------------------------------------------------------------------------

local function read_lease(id)
  local text = call('HGET', LEASES, id)
  if not text then return nil end
  local lease = { id = id }
  local generation, acquired, hard_end, expected_end
  lease.state, lease.holder, lease.account, lease.budget, generation, acquired, hard_end, expected_end, lease.info =
    string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
  lease.generation, lease.acquired = tonumber(generation), tonumber(acquired)
  lease.hard_end, lease.expected_end = tonumber(hard_end), tonumber(expected_end)
  return lease
end

local function write_lease(lease, expires)
  call('HSET', LEASES, lease.id, table.concat({ lease.state, lease.holder, lease.account, lease.budget,
    lease.generation, lease.acquired, lease.hard_end, lease.expected_end, lease.info },
    '|'))
  call('ZADD', EXPIRY, expires, lease.id)
  call('ZADD', HELD, 0, lease.budget .. '|' .. lease.id)
end

local function drop_lease(lease)
  call('HDEL', LEASES, lease.id)
  call('ZREM', EXPIRY, lease.id)
  call('ZREM', HELD, lease.budget .. '|' .. lease.id)
  call('ZREM', lease.state == 'granted' and GRANTED or ENDS, lease.id)
end

local function read_waiter(id)
  local text = call('HGET', WAITERS, id)
  if not text then return nil end
  local waiter = { id = id }
  local queued, duration, called
  waiter.account, waiter.rank, queued, duration, called, waiter.info =
    string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
  waiter.queued, waiter.duration, waiter.called = tonumber(queued), tonumber(duration), tonumber(called)
  return waiter
end

local function write_waiter(waiter)
  call('HSET', WAITERS, waiter.id, table.concat({ waiter.account, waiter.rank, waiter.queued,
    waiter.duration, waiter.called, waiter.info }, '|'))
end

local function drop_waiter(waiter)
  call('HDEL', WAITERS, waiter.id)
  call('ZREM', TOUCHED, waiter.id)
  call('ZREM', QUEUE, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
end

local function read_account(id)
  local text = call('HGET', ACCOUNTS, id)
  if not text then return nil end
  local active, priority, budgets, info = string.match(text, '^([^|]*)|([^|]*)|([^|]*)|(.*)$')
  local account = { id = id, active = active == '1', priority = tonumber(priority), budgets = {}, info = info }
  for budget in string.gmatch(budgets, '[^,]+') do
    table.insert(account.budgets, budget)
  end
  return account
end

-- limit: configured, 0 = unlimited. believed: learned from refusals, 0 = no opinion.
local BUDGET_FIELDS = { 'limit', 'believed', 'viewers', 'viewers_at', 'cool_until', 'last_start', 'busy_count',
  'busy_at', 'learned_at' }

local function new_budget(id, limit)
  local budget = { id = id }
  for _, field in ipairs(BUDGET_FIELDS) do
    budget[field] = 0
  end
  budget.limit = limit
  return budget
end

local function read_budget(id)
  local text = call('HGET', BUDGETS, id)
  if not text then return nil end
  local budget, values = { id = id }, string.gmatch(text, '[^|]+')
  for _, field in ipairs(BUDGET_FIELDS) do
    budget[field] = tonumber(values())
  end
  return budget
end

local function write_budget(budget)
  local values = {}
  for i, field in ipairs(BUDGET_FIELDS) do
    values[i] = budget[field]
  end
  call('HSET', BUDGETS, budget.id, table.concat(values, '|'))
end

-- Room ----------------------------------------------------------------------------------------------------------

local function held(budget_id)
  return call('ZLEXCOUNT', HELD, '[' .. budget_id .. '|', '(' .. budget_id .. '}')
end

-- The most leases the budget allows now; nil = unlimited.
local function ceiling(budget)
  local most = budget.limit
  if budget.believed > 0 and (most == 0 or budget.believed < most) then most = budget.believed end
  if most == 0 then return nil end
  return math.max(0, most - budget.viewers)
end

local function budget_has_room(budget)
  local most = ceiling(budget)
  return not most or held(budget.id) < most
end

local function global_has_room()
  return meta.global_limit == 0 or call('ZCARD', EXPIRY) < meta.global_limit
end

-- The milliseconds until the budget's next start may be. A start noted before the clock was set back is forgotten.
local function starts_in(budget)
  local wait = budget.last_start + meta.stagger - now
  if meta.stagger == 0 or wait <= 0 or budget.last_start - now > BOOKING_MS + meta.stagger then return 0 end
  return wait
end

-- The first of the account's budgets that may give a slot now; else nil and when (0: not by time alone).
local function fitting(account)
  local due = 0
  for _, id in ipairs(account.budgets) do
    local budget = read_budget(id)
    if budget and budget_has_room(budget) then
      local at = math.max(budget.cool_until, now + starts_in(budget) - BOOKING_MS)
      if at <= now then return budget, 0 end
      if due == 0 or at < due then due = at end
    end
  end
  return nil, due
end

-- Granting ------------------------------------------------------------------------------------------------------

local function grant(waiter, budget)
  drop_waiter(waiter)
  write_lease({ id = waiter.id, state = 'granted', holder = '', account = waiter.account, budget = budget.id,
    generation = meta.generation, acquired = now, hard_end = now + meta.grant_ttl,
    expected_end = now + meta.grant_ttl + waiter.duration, info = waiter.info }, now + meta.grant_ttl)
  call('ZADD', GRANTED, now, waiter.id)
  count('granted', waiter.account)
  count('wait_ms', waiter.account, math.max(0, now - waiter.queued))
  call('PUBLISH', CHANNEL, waiter.id)
end

-- The first in the account's queue, or nil.
local function head_of(account)
  local found = call('ZRANGEBYLEX', QUEUE, '[' .. account.id .. '|', '(' .. account.id .. '}', 'LIMIT', 0, 1)
  if not found[1] then return nil end
  local rank, id = string.match(found[1], '^.-|(.-)|(.*)$')
  return { account = account, id = id, order = tonumber(rank) - account.priority * HEAD_START_US }
end

-- The first of each account that has waiters, found by jumps: never a walk over all waiters.
local function heads()
  local found, from = {}, '-'
  while true do
    local member = call('ZRANGEBYLEX', QUEUE, from, '+', 'LIMIT', 0, 1)[1]
    if not member then return found end
    local account_id = string.match(member, '^(.-)|')
    local account = read_account(account_id)
    if account and account.active then table.insert(found, head_of(account)) end
    from = '[' .. account_id .. '}'
  end
end

local function first_of(list)
  local best
  for i, head in ipairs(list) do
    if not best or head.order < list[best].order then best = i end
  end
  return best
end

local function reap_waiters()
  for _, id in ipairs(call('ZRANGEBYSCORE', TOUCHED, '-inf', now - WAITER_LIFE_MS, 'LIMIT', 0, 500)) do
    local waiter = read_waiter(id)
    if waiter then
      drop_waiter(waiter)
      event('forgotten', id, waiter.account, waiter.info)
    else
      call('ZREM', TOUCHED, id)
    end
  end
end

-- Gives every free slot to the first waiter who fits. Answers the next moment at which time alone changes something,
-- 0 when there is none.
local function grant_all()
  if call('ZCARD', QUEUE) == 0 then return 0 end
  reap_waiters()
  if meta.closed_until > now then return meta.closed_until end
  if not global_has_room() then return 0 end
  local next_due, list = 0, heads()
  while #list > 0 and global_has_room() do
    local i = first_of(list)
    local account = list[i].account
    local budget, due = fitting(account)
    if budget then
      grant(read_waiter(list[i].id), budget)
      list[i] = head_of(account) or false
    else
      if due > 0 and (next_due == 0 or due < next_due) then next_due = due end
      list[i] = false
    end
    if not list[i] then table.remove(list, i) end
  end
  return next_due
end

-- Beginning -----------------------------------------------------------------------------------------------------

local function reap_leases()
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, 200)) do
    local lease = read_lease(id)
    if lease then
      drop_lease(lease)
      event('expired', id, lease.account, lease.info)
    else
      call('ZREM', EXPIRY, id)
    end
  end
end

-- A server that was not here before may have lost what its predecessor knew. Nobody is let in until every holder
-- of that time had a whole lease_ttl to register again.
local function greet()
  local server = string.match(call('INFO', 'server'), 'run_id:(%w+)')
  if server == meta.server then return end
  meta.closed_until = now + meta.lease_ttl
  call('HSET', META, 'server', server, 'closed_until', meta.closed_until)
end

local function read_meta()
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  now_us = tonumber(time[1]) * 1e6 + tonumber(time[2])
  local values = call('HMGET', META, 'server', 'generation', 'global_limit', 'lease_ttl', 'stale_after', 'stagger',
    'grant_ttl', 'closed_until', 'sequence')
  meta.server = values[1]
  meta.generation = tonumber(values[2] or 0)
  meta.global_limit = tonumber(values[3] or 10)
  meta.lease_ttl = tonumber(values[4] or 30000)
  meta.stale_after = tonumber(values[5] or 3600000)
  meta.stagger = tonumber(values[6] or 200)
  meta.grant_ttl = tonumber(values[7] or 20000)
  -- After the clock was set back, no closure outlasts what it was meant for.
  meta.closed_until = math.min(tonumber(values[8] or 0), now + meta.lease_ttl)
  meta.sequence = tonumber(values[9] or 0)
end

local function begin()
  read_meta()
  greet()
  reap_leases()
end

-- Queueing ------------------------------------------------------------------------------------------------------

-- A rank is a time in microseconds, so it keeps its place even in a Redis that has forgotten everything.
local function new_rank(priority)
  meta.sequence = math.max(now_us, meta.sequence + 1)
  call('HSET', META, 'sequence', string.format('%.0f', meta.sequence))
  return string.format('%017.0f', meta.sequence - priority * HEAD_START_US)
end

local function enqueue(waiter, priority)
  if waiter.rank == '' then waiter.rank = new_rank(priority) end
  waiter.queued, waiter.called = now, 0
  write_waiter(waiter)
  call('ZADD', QUEUE, 0, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
  call('ZADD', TOUCHED, now, waiter.id)
  count('queued', waiter.account)
end

local function queued(waiter, due)
  local prefix = waiter.account .. '|'
  local ahead = call('ZLEXCOUNT', QUEUE, '[' .. prefix, '(' .. prefix .. waiter.rank .. '|' .. waiter.id)
  return { 'queued', waiter.rank, ahead + 1, due > now and due - now or 0 }
end

-- Why an account gets no slot at all, or nil.
local function barred(account)
  if not account then return 'unknown_account' end
  if not account.active then return 'inactive' end
  return nil
end

local function refuse(reason, account_id)
  count('refused', account_id)
  return { 'refused', reason }
end

