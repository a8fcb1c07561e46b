-- Records: leases, waiters, accounts, budgets, and events.
local EVENTS_KEPT = 2000
-- The adaptive limit considers the connections of this time.
local PACE_LIFE_MS = 60 * 1000

-- Makes the accounts of a budget candidates for a grant; defined with the index of candidates.
local reconsider_budget

-- Writes an event; `info` is a JSON object.
local function event(kind, id, account, info)
  call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'lease_id', id, 'account_id', account, 'info',
    info or '{}')
end

local function read(key, id)
  local text = call('HGET', key, id)
  return text and cmsgpack.unpack(text) or nil
end

local function write(key, record)
  call('HSET', key, record.id, cmsgpack.pack(record))
end

-- A lease: id, state ('granted' until its waiter claims it, then 'held'), holder, account, budget, generation,
-- acquired, hard_end (end of its longest life), expected_end, info (JSON that no transition reads).
local function write_lease(lease, expires)
  write(LEASES, lease)
  call('ZADD', EXPIRY, expires, lease.id)
  call('ZADD', HELD, 0, lease.budget .. '|' .. lease.id)
end

-- Stores the expected end of a held lease; 0 ms remaining means unknown.
local function expect_end(lease, remaining)
  lease.expected_end = now + remaining
  if remaining > 0 then call('ZADD', ENDS, lease.expected_end, lease.id) end
end

local function drop_lease(lease)
  call('HDEL', LEASES, lease.id)
  call('ZREM', EXPIRY, lease.id)
  call('ZREM', HELD, lease.budget .. '|' .. lease.id)
  if lease.state == 'granted' then
    call('ZREM', GRANTED, lease.id)
  elseif lease.expected_end > lease.acquired then
    call('ZREM', ENDS, lease.id)
  end
  reconsider_budget(lease.budget)
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
-- (of a claimed one).
local function new_budget(id, limit)
  return { id = id, limit = limit, claimed = 0, claimed_at = 0, words = '', believed = 0, learned_at = 0, viewers = 0,
    viewers_at = 0, elsewhere = 0, cool_until = 0, booked_start = 0, last_start = 0, busy_count = 0,
    busy_at = 0, suspected = 0, suspected_until = 0 }
end
