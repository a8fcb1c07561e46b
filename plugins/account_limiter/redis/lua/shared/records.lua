-- Records: leases, waiters, accounts, budgets.
local EVENTS_KEPT = 2000
-- How long it counts whether a work starved.
local PACE_LIFE_MS = 60 * 1000

local function event(kind, id, account, info)
  call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'lease_id', id, 'account_id', account, 'info',
    info or '')
end

local function read(key, id)
  local text = call('HGET', key, id)
  return text and cmsgpack.unpack(text) or nil
end

local function write(key, record)
  call('HSET', key, record.id, cmsgpack.pack(record))
end

-- A lease has an id, a state ('granted' until its waiter has come for it, then 'held'), its holder, account, budget,
-- generation, when it was acquired, its hard end, its expected end, and info, which is never looked into.
local function write_lease(lease, expires)
  write(LEASES, lease)
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
  if lease.state == 'granted' then
    call('ZREM', GRANTED, lease.id)
  elseif lease.expected_end > lease.acquired then
    call('ZREM', ENDS, lease.id)
  end
end

-- A lease from before a reset is over, even if its holder has not stopped yet.
local function is_current(lease)
  return lease.generation >= meta.generation
end

-- A waiter has an id, its account, rank, since when it is queued, how long its work will take, and info.
local function drop_waiter(waiter)
  call('HDEL', WAITERS, waiter.id)
  call('ZREM', TOUCHED, waiter.id)
  call('ZREM', CALLED, waiter.id)
  call('ZREM', QUEUE, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
end

-- limit: configured, 0 = unlimited. claimed: said by the provider in these words, 0 = nothing. believed: learned from
-- refusals, 0 = no opinion; suspected: until it is known whether there was one. viewers: connections that people use.
-- elsewhere: those that others use, as the provider says.
local function new_budget(id, limit)
  return { id = id, limit = limit, claimed = 0, claimed_at = 0, words = '', believed = 0, learned_at = 0, viewers = 0,
    viewers_at = 0, elsewhere = 0, cool_until = 0, last_start = 0, busy_count = 0, busy_at = 0, suspected = 0,
    suspected_until = 0 }
end
