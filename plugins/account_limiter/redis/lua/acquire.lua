-- Takes a slot of the account and a global one, or neither. Claims the grant of a waiter with the same id.

local function granted(lease, budget, expires, wait)
  return answer('granted', lease.budget, lease.generation, lease.acquired, expires - now, lease.hard_end - now, wait,
    budget.limit, meta.most, limit_of(budget), held(budget.id), budget.viewers)
end

local function take(lease, budget, holder, duration)
  local wait = starts_in(budget)
  if meta.stagger > 0 then
    budget.last_start = now + wait
    write(BUDGETS, budget)
  end
  lease.state, lease.holder, lease.acquired, lease.hard_end = 'held', holder, now, now + meta.stale_after
  expect_end(lease, duration > 0 and wait + duration or 0)
  local expires = math.min(now + meta.lease_ttl, lease.hard_end)
  write_lease(lease, expires)
  event('acquired', lease.id, lease.account, lease.info)
  return granted(lease, budget, expires, wait)
end

-- When a slot that a newcomer would get is about to come free; 0 when none is known to be.
local function soon(account, waiter)
  local before = account.id .. '|'
  if call('ZLEXCOUNT', QUEUE, '[' .. before, '(' .. before .. waiter.rank .. '|' .. waiter.id) > 0 then return 0 end
  local ending = call('ZRANGEBYSCORE', ENDS, now - CALL_LIFE_MS, now + meta.call_lead, 'WITHSCORES')
  for i = 1, #ending, 2 do
    local leaving = read(LEASES, ending[i]).budget
    if about_to_fit(account, { [leaving] = 1 }, meta.call_lead) then return math.max(tonumber(ending[i + 1]), now + 1) end
  end
  return 0
end

-- What becomes of one who has no lease yet.
local function come(request, holder, priority, may_wait)
  local id, account = request.id, read(ACCOUNTS, request.account)
  local why = barred(account)
  if why then return refuse(why, request.account) end

  -- Whoever waits goes first: what is left after this is nobody else's.
  if call('ZCARD', QUEUE) > 0 then
    call('ZADD', TOUCHED, 'XX', now, id)
    local due = grant_all()
    local lease, waiter = read(LEASES, id), read(WAITERS, id)
    if lease then
      call('ZREM', GRANTED, id)
      return take(lease, read(BUDGETS, lease.budget), holder, request.duration)
    elseif waiter then
      return queued(waiter, due)
    end
  end

  local closed = closed_until > now
  local budget, opens = nil, 0
  if closed then
    opens = closed_until
  elseif global_has_room() then
    budget, opens = fitting(account)
  end
  if budget then
    count('granted', account.id)
    return take({ id = id, account = account.id, budget = budget.id, generation = meta.generation, info = request.info },
      budget, holder, request.duration)
  end
  if may_wait then
    enqueue(request, priority)
    return queued(request, lower(opens, soon(account, request)))
  end
  return refuse(closed and 'closed' or 'full', account.id)
end

transition('acquire', function(args)
  local id, holder, account, priority, may_wait, rank, duration, info = unpack(args)
  local lease = read(LEASES, id)
  if not lease then
    local request = { id = id, account = account, rank = rank, duration = tonumber(duration), info = info }
    return come(request, holder, tonumber(priority), may_wait == '1')
  end
  local budget = read(BUDGETS, lease.budget) or new_budget(lease.budget, 0)
  if lease.state == 'granted' then
    call('ZREM', GRANTED, id)
    return take(lease, budget, holder, tonumber(duration))
  end
  if lease.holder ~= holder then return refuse('held', account) end
  local expires = math.min(now + meta.lease_ttl, lease.hard_end)
  call('ZADD', EXPIRY, expires, id)
  return granted(lease, budget, expires, 0)
end)
