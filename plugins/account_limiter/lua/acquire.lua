-- Takes a slot of the account and a global one, or neither. Claims the grant of a waiter with the same id.
local id, holder, account_id, priority, may_wait, rank, duration, info = unpack(ARGV)
priority, duration = tonumber(priority), tonumber(duration)

local function answer(lease, budget, expires, wait)
  return { 'granted', lease.budget, lease.generation, lease.acquired, expires - now, lease.hard_end - now, wait,
    budget.limit, meta.global_limit }
end

local function take(lease, budget)
  local wait = starts_in(budget)
  if meta.stagger > 0 then
    budget.last_start = now + wait
    write_budget(budget)
  end
  lease.state, lease.holder, lease.acquired, lease.hard_end = 'held', holder, now, now + meta.stale_after
  expect_end(lease, duration > 0 and wait + duration or 0)
  local expires = math.min(now + meta.lease_ttl, lease.hard_end)
  write_lease(lease, expires)
  event('acquired', id, lease.account, lease.info)
  return answer(lease, budget, expires, wait)
end

begin()
local lease = read_lease(id)
if not lease then
  local account = read_account(account_id)
  local why = barred(account)
  if why then return refuse(why, account_id) end

  -- Whoever waits goes first: what is left after this is nobody else's.
  local anybody = call('ZCARD', QUEUE) > 0
  local due = anybody and grant_all() or 0
  lease = anybody and read_lease(id)
  if not lease then
    local waiter = anybody and read_waiter(id)
    if waiter then
      call('ZADD', TOUCHED, now, id)
      return queued(waiter, due)
    end
    local closed = meta.closed_until > now
    local budget, opens = nil, 0
    if closed then
      opens = meta.closed_until
    elseif global_has_room() then
      budget, opens = fitting(account)
    end
    if budget then
      count('granted', account_id)
      return take({ id = id, account = account_id, budget = budget.id, generation = meta.generation, info = info },
        budget)
    end
    if may_wait == '1' then
      waiter = { id = id, account = account_id, rank = rank, duration = duration, info = info }
      enqueue(waiter, priority)
      return queued(waiter, opens)
    end
    return refuse(closed and 'closed' or 'full', account_id)
  end
end

local budget = read_budget(lease.budget) or new_budget(lease.budget, 0)
if lease.state == 'granted' then
  call('ZREM', GRANTED, id)
  return take(lease, budget)
end
if lease.holder ~= holder then return refuse('held', account_id) end
local expires = math.min(now + meta.lease_ttl, lease.hard_end)
call('ZADD', EXPIRY, expires, id)
return answer(lease, budget, expires, 0)
