-- Records: leases, waiters, accounts, budgets, and events.
local EVENTS_KEPT = 2000
-- The adaptive limit considers the connections of this time.
local PACE_LIFE_MS = 60 * 1000

-- A provider counts a closed connection for at most this time.
local LONGEST_DELAY_MS = 60 * 1000

-- Makes the accounts of a budget candidates for a grant; defined with the index of candidates.
local reconsider_budget
-- Returns the time in ms for which a budget's slot is held after its release; defined with the capacity.
local delay_of

-- Writes an event; `info` is a JSON object, `closed` the connection that ended, as drop_lease returns it.
local function event(kind, id, account, info, closed)
  call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'lease_id', id, 'account_id', account, 'info',
    info or '{}', 'closed', closed or '')
end

-- Returns the connections that ended in the last minute, the latest first: 'budget|lease|time' and the time of each.
local function closed_lately()
  local found, from = {}, '+'
  while true do
    local entries = call('XREVRANGE', EVENTS, from, '-', 'COUNT', 100)
    for _, entry in ipairs(entries) do
      local closed = entry[2][10] or ''
      local time = tonumber(string.match(closed, '|(%d+)$') or now)
      if time < now - LONGEST_DELAY_MS then return found end
      if closed ~= '' and time <= now then table.insert(found, { closed, time }) end
    end
    if #entries < 100 then return found end
    from = '(' .. entries[#entries][1]
  end
end

local function is_of(budget_id, closed)
  return string.sub(closed, 1, #budget_id + 1) == budget_id .. '|'
end

-- Fields of a budget that are not stored as long as they have these values.
local BUDGET = { __index = { claimed = 0, claimed_at = 0, words = '', believed = 0, learned_at = 0, viewers = 0,
  viewers_at = 0, elsewhere = 0, cool_until = 0, booked_start = 0, last_start = 0, busy_count = 0, busy_at = 0,
  suspected = 0, suspected_until = 0, proven = 0, delay_refusals = 0 } }

local function read(key, id)
  local text = call('HGET', key, id)
  if not text then return nil end
  local record = cmsgpack.unpack(text)
  return key == BUDGETS and setmetatable(record, BUDGET) or record
end

local function write(key, record)
  call('HSET', key, record.id, cmsgpack.pack(record))
end

-- A lease: id, state ('granted' until its waiter claims it, then 'held'), holder, account, budget, generation,
-- acquired, fixed (it lives until hard_end, without renewals), began (start of its connection), refused (the provider
-- refused it), hard_end (end of its longest life), expected_end, info (JSON that no transition reads).
local function write_lease(lease, expires)
  write(LEASES, lease)
  call('ZADD', EXPIRY, expires, lease.id)
  call('ZADD', HELD, 0, lease.budget .. '|' .. lease.id)
end

-- Returns the time at which a lease ends that is renewed now.
local function lease_end(lease)
  return lease.fixed and lease.hard_end or math.min(now + meta.lease_ttl, lease.hard_end)
end

-- Stores the expected end of a held lease; 0 ms remaining means unknown.
local function expect_end(lease, remaining)
  lease.expected_end = now + remaining
  if remaining > 0 then call('ZADD', ENDS, lease.expected_end, lease.id) end
end

-- Holds the slot of a connection that was closed at a time, as long as the provider counts it.
local function linger(closed, time, delay)
  if time + delay <= now then return end
  call('ZADD', HELD, 0, closed)
  call('ZADD', LINGERING, time + delay, closed)
  if not meta.lingers then change_meta({ lingers = true }) end
end

-- Ends a lease. `budget` is the lease's one, if the caller has read it. Returns 'budget|lease|time' of the connection
-- that ended, nil when there was none.
local function drop_lease(lease, budget)
  local closed
  call('HDEL', LEASES, lease.id)
  call('ZREM', EXPIRY, lease.id)
  call('ZREM', HELD, lease.budget .. '|' .. lease.id)
  if lease.state == 'held' and not lease.refused then
    closed = lease.budget .. '|' .. lease.id .. '|' .. now
    budget = budget or read(BUDGETS, lease.budget)
    if budget then linger(closed, now, delay_of(budget)) end
  end
  if lease.state == 'granted' then
    call('ZREM', GRANTED, lease.id)
  elseif lease.expected_end > lease.acquired then
    call('ZREM', ENDS, lease.id)
  end
  reconsider_budget(lease.budget)
  return closed
end

-- Whether a lease was acquired after the last reset; the holder of an earlier one may still be stopping.
local function is_current(lease)
  return lease.generation >= meta.generation
end

-- A waiter: id, account, rank, queued (time), duration (expected, of its work), info.
local function drop_waiter(waiter)
  call('HDEL', WAITERS, waiter.id)
  call('ZREM', TOUCHED, waiter.id)
  call('ZREM', CALLED, waiter.id)
  call('ZREM', QUEUE, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
end

-- A budget: limit (configured, 0 = unlimited), claimed (stated by the provider in `words`, 0 = none), believed
-- (learned from refusals, 0 = none), suspected (until it is known whether there was a refusal), viewers, elsewhere
-- (connections that the provider counts beyond leases and viewers), booked_start (of the latest grant), last_start
-- (of a claimed one), proven (the most connections that were served at the same time). Fields that most budgets lack:
-- release_delay (configured), learned_delay (since delay_at, by a refusal delay_gap ms after a release, the
-- delay_refusals-th one since it was confirmed, or by delay_words of the provider), suspected_delay, excess_since (more
-- connections than allowed since then), exceeded (their number, at exceeded_at, when that lasted).
local function new_budget(id, limit)
  return setmetatable({ id = id, limit = limit }, BUDGET)
end
