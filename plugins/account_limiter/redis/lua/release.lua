-- Gives a slot back or leaves the queue. Without a holder, only an unclaimed grant or a waiter is dropped. The argument
-- `starved` is '1' or '0' when it is known whether the connection was slower than real time, else ''.
local RAISE_AFTER_MS = 120 * 1000

-- A refusal lowers the learned limit of a budget. A success of a fully used budget, long after the last refusal,
-- raises it by one, up to the configured and the claimed limit.
local function learn(budget)
  if budget.believed == 0 or is_within(RAISE_AFTER_MS, budget.learned_at) then return end
  if held(budget.id) < budget.believed - others(budget) then return end
  budget.believed, budget.learned_at = budget.believed + 1, now
  forget_useless_belief(budget)
  write(BUDGETS, budget)
end

-- Notes how many connections the provider serves at the same time. A success of a fully used budget confirms the delay
-- of its releases.
local function prove(budget)
  local used = held(budget.id) + others(budget)
  local is_confirmed = budget.delay_refusals > 0 and used >= limit_of(budget)
  if not is_confirmed and used <= budget.proven then return end
  if is_confirmed then budget.delay_refusals = 0 end
  budget.proven = math.max(budget.proven, open_connections(budget.id) + others(budget))
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
    local budget = read(BUDGETS, lease.budget)
    if budget and outcome == 'ok' then
      learn(budget)
      prove(budget)
    end
    if starved ~= '' then note_pace(lease, starved) end
    event('released', id, lease.account, lease.info, drop_lease(lease, budget))
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
