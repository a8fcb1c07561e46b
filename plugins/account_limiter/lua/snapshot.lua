-- Everything at one moment, changing nothing: settings, leases, accounts with their waiters, budgets with what is held.
read_meta()
local leases, accounts, budgets = {}, {}, {}
local alive = call('ZRANGEBYSCORE', EXPIRY, '(' .. now, '+inf', 'WITHSCORES')
for i = 1, #alive, 2 do
  local lease = read_lease(alive[i])
  if is_current(lease) then
    table.insert(leases, { lease.id, lease.state, lease.account, lease.budget, lease.acquired, alive[i + 1],
      lease.expected_end, lease.info })
  end
end
for _, id in ipairs(call('HKEYS', ACCOUNTS)) do
  local account = read_account(id)
  local waiting = call('ZLEXCOUNT', QUEUE, '[' .. id .. '|', '(' .. id .. '}')
  table.insert(accounts, { id, account.active and 1 or 0, account.priority, account.budgets, waiting, account.info })
end
for _, id in ipairs(call('HKEYS', BUDGETS)) do
  local budget = read_budget(id)
  table.insert(budgets, { id, budget.limit, ceiling(budget) or -1, budget.believed, budget.viewers, held(id),
    budget.cool_until, budget.busy_count, budget.busy_at })
end
return { now, meta.generation, meta.global_limit, meta.lease_ttl, meta.closed_until, call('HLEN', WAITERS), leases,
  accounts, budgets }
