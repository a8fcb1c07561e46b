-- What every transition shares. The state is sets of leases and waiters; nothing is counted beside them.
-- Fields of a record are joined by '|', which no id may contain; the last one is JSON that is never read here.
-- Times are milliseconds of Redis' own clock: whole numbers of 13 digits, which Lua writes exactly (up to 14).
local LEASES, EXPIRY, HELD, GRANTED, ENDS, WAITERS, QUEUE, TOUCHED, CALLED, ACCOUNTS, BUDGETS, META, EVENTS, TALLY,
  HISTORY, HISTORY_COARSE, FRESH = unpack(KEYS)
local CHANNEL = string.sub(META, 1, -5) .. 'grants'
local EVENTS_KEPT = 2000
local call = redis.call

local now, now_us
local meta = {}

local function event(kind, id, account, info)
  call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'lease_id', id, 'account_id', account, 'info',
    info or '')
end

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
    lease.generation, lease.acquired, lease.hard_end, lease.expected_end, lease.info }, '|'))
  call('ZADD', EXPIRY, expires, lease.id)
  call('ZADD', HELD, 0, lease.budget .. '|' .. lease.id)
end

-- Notes when a held lease is expected to end, if that is known.
local function expect_end(lease, remaining)
  lease.expected_end = now + remaining
  if remaining > 0 then call('ZADD', ENDS, lease.expected_end, lease.id) end
end

local function drop_lease(lease)
  call('HDEL', LEASES, lease.id)
  call('ZREM', EXPIRY, lease.id)
  call('ZREM', HELD, lease.budget .. '|' .. lease.id)
  call('ZREM', lease.state == 'granted' and GRANTED or ENDS, lease.id)
end

-- A lease from before a reset is over, even if its holder has not stopped yet.
local function is_current(lease)
  return lease.generation >= meta.generation
end

local function read_waiter(id)
  local text = call('HGET', WAITERS, id)
  if not text then return nil end
  local waiter = { id = id }
  local queued, duration
  waiter.account, waiter.rank, queued, duration, waiter.info =
    string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
  waiter.queued, waiter.duration = tonumber(queued), tonumber(duration)
  return waiter
end

local function write_waiter(waiter)
  call('HSET', WAITERS, waiter.id, table.concat({ waiter.account, waiter.rank, waiter.queued,
    waiter.duration, waiter.info }, '|'))
end

local function drop_waiter(waiter)
  call('HDEL', WAITERS, waiter.id)
  call('ZREM', TOUCHED, waiter.id)
  call('ZREM', CALLED, waiter.id)
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

