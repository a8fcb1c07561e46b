-- Takes a slot of the account and a global one, or neither. Claims the grant of a waiter with the same id.

local function granted(lease, budget, expires, wait, used)
  return string.format('granted|%s|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d', lease.budget, lease.generation, lease.acquired,
    expires - now, lease.hard_end - now, wait, budget.limit, meta.most, limit_of(budget), used, budget.viewers)
end

-- `used` is the number of the budget's slots in use, with this lease.
local function take(lease, budget, request, used)
  local wait = claim_start(budget, lease.starts_at or 0)
  lease.began, lease.fixed = now + wait, request.life > 0 or nil
  lease.state, lease.holder, lease.acquired = 'held', request.holder, now
  lease.hard_end = now + (lease.fixed and request.life or meta.stale_after)
  expect_end(lease, request.duration > 0 and wait + request.duration or 0)
  local expires = lease_end(lease)
  write_lease(lease, expires)
  event('acquired', lease.id, lease.account, lease.info)
  return granted(lease, budget, expires, wait, used)
end

-- Turns a grant into a lease.
local function claim(lease, budget, request)
  call('ZREM', GRANTED, lease.id)
  return take(lease, budget, request, held(budget.id))
end

-- Returns the time at which a slot for a newcomer is about to become free, 0 when it is unknown or another waiter is
-- ahead.
local function soon(account, waiter)
  local before = account.id .. '|'
  if call('ZLEXCOUNT', QUEUE, '[' .. before, '(' .. before .. waiter.rank .. '|' .. waiter.id) > 0 then return 0 end
  local ending = call('ZRANGEBYSCORE', ENDS, now - CALL_LIFE_MS, now + meta.call_lead, 'WITHSCORES')
  for i = 1, #ending, 2 do
    local leaving, at = read(LEASES, ending[i]).budget, tonumber(ending[i + 1])
    if about_to_fit(account, { [leaving] = 1 }, meta.call_lead) then return math.max(at, now + 1) end
  end
  return 0
end

-- Serves the waiters first, so that a newcomer gets only what no waiter can use. Returns the reply for a request that
-- is one of them, nil for a newcomer.
local function wait_in_turn(request)
  local waiter = read(WAITERS, request.id)
  if waiter then touch(waiter) end
  grant_all()
  local lease = waiter and read(LEASES, request.id)
  if lease then return claim(lease, read(BUDGETS, lease.budget), request) end
  return waiter and queued(waiter)
end

-- Handles a request without a lease.
local function ask(request, priority, may_wait)
  local account = read(ACCOUNTS, request.account)
  local why = barred(account)
  if why then return refuse(why, request.account) end
  local reply = has_waiters() and wait_in_turn(request)
  if reply then return reply end

  local closed, budget, opens, used = closed_until > now, nil, 0, 0
  if not closed and global_has_room() then budget, opens, used = fitting(account) end
  if budget then
    count('granted', account.id)
    local lease = { id = request.id, account = account.id, budget = budget.id, generation = meta.generation,
      starts_at = book_start(budget), info = request.info }
    return take(lease, budget, request, used + 1)
  end
  if may_wait then
    enqueue(request, priority)
    return queued(request, lower(opens, soon(account, request)))
  end
  return refuse(closed and 'closed' or 'full', account.id)
end

-- Takes an unclaimed grant back when its budget has less capacity than leases now, because viewers came or the limit
-- was lowered after the grant. Returns whether it did.
local function taken_back(lease)
  local budget = read(BUDGETS, lease.budget)
  local most = budget and ceiling(budget)
  if not most or held(budget.id) <= most then return false end
  drop_lease(lease)
  return true
end

transition('acquire', function(args)
  local id, holder, account, priority, may_wait, rank, duration, info, life = unpack(args)
  local request = { id = id, account = account, rank = rank, duration = tonumber(duration), info = info }
  local lease = read(LEASES, id)
  if lease and lease.state == 'granted' and taken_back(lease) then lease = nil end
  request.holder, request.life = holder, tonumber(life)
  if not lease then return ask(request, tonumber(priority), may_wait == '1') end
  local budget = read(BUDGETS, lease.budget) or new_budget(lease.budget, 0)
  if lease.state == 'granted' then return claim(lease, budget, request) end
  if lease.holder ~= holder then return refuse('held', account) end
  local expires = lease_end(lease)
  call('ZADD', EXPIRY, expires, id)
  return granted(lease, budget, expires, 0, held(budget.id))
end)
