-- Gives a slot back or leaves the queue. Without a holder, only an unclaimed grant or a waiter is dropped. The argument
-- `starved` is '1' or '0' when it is known whether the connection was slower than real time, else ''.
local RAISE_AFTER_MS = 120 * 1000

-- A refusal lowers the learned limit of a budget. A success of a fully used budget, long after the last refusal,
-- raises it by one, up to the configured and the claimed limit.
local function learn(lease)
  local budget = read(BUDGETS, lease.budget)
  if not budget or budget.believed == 0 or is_within(RAISE_AFTER_MS, budget.learned_at) then return end
  if held(budget.id) < budget.believed - others(budget) then return end
  budget.believed, budget.learned_at = budget.believed + 1, now
  forget_useless_belief(budget)
  write(BUDGETS, budget)
end

local function note_pace(lease, starved)
  call('ZREMRANGEBYSCORE', PACES, '-inf', now - PACE_LIFE_MS)
  call('ZADD', PACES, now, starved .. '|' .. lease.account .. '|' .. lease.id)
end

transition('release', function(args)
  local id, holder, outcome, starved = unpack(args)
  local lease = read(LEASES, id)
  if lease and (lease.state == 'granted' or lease.holder == holder) then
    if outcome == 'ok' then learn(lease) end
    if starved ~= '' then note_pace(lease, starved) end
    drop_lease(lease)
    event('released', id, lease.account, lease.info)
    if lease.state == 'held' then count('finished', lease.account) end
    grant_all()
    return 1
  end
  local waiter = not lease and read(WAITERS, id)
  if waiter then
    drop_waiter(waiter)
    event('dropped', id, waiter.account, waiter.info)
    grant_all()
    return 1
  end
  return 0
end, 'allow-oom')
