-- Grants: free slots go to waiters.

local function reap_waiters()
  for _, id in ipairs(call('ZRANGEBYSCORE', TOUCHED, '-inf', now - WAITER_LIFE_MS, 'LIMIT', 0, 500)) do
    local waiter = read(WAITERS, id)
    if waiter then
      drop_waiter(waiter)
      event('forgotten', id, waiter.account, waiter.info)
    else
      call('ZREM', TOUCHED, id)
    end
  end
end

local function grant(waiter, budget)
  drop_waiter(waiter)
  local starts_at = book_start(budget)
  if starts_at > 0 then write(BUDGETS, budget) end
  write_lease({ id = waiter.id, state = 'granted', holder = '', account = waiter.account, budget = budget.id,
    generation = meta.generation, acquired = now, hard_end = now + meta.grant_ttl,
    starts_at = starts_at, expected_end = now + meta.grant_ttl + waiter.duration, info = waiter.info },
    now + meta.grant_ttl)
  call('ZADD', GRANTED, now, waiter.id)
  count('granted', waiter.account)
  count('wait_ms', waiter.account, math.max(0, now - waiter.queued))
  call('PUBLISH', CHANNEL, waiter.id)
end

-- Grants every free slot to the first waiter that it fits, and calls the waiters that come next.
local function grant_all()
  if not has_waiters() then return end
  reap_waiters()
  if closed_until > now then return end
  consider_due()
  while global_has_room() do
    local head, budget = next_to_serve()
    if not head then break end
    grant(read(WAITERS, head.id), budget)
    consider(head.account.id)
  end
  call_next()
end

-- The next time at which the passing of time may grant a slot, 0 for none.
local function next_grant()
  if not has_waiters() then return 0 end
  if closed_until > now then return closed_until end
  return tonumber(call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or 0)
end
