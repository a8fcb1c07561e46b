-- Returns the whole state: settings, leases, accounts with their waiters, budgets with their leases.
reading('snapshot', function()
  local leases, accounts, budgets = {}, {}, {}
  local waiting, dead = living_waiters()
  local alive = call('ZRANGEBYSCORE', EXPIRY, '(' .. now, '+inf', 'WITHSCORES')
  for i = 1, #alive, 2 do
    local lease = read(LEASES, alive[i])
    if is_current(lease) then
      table.insert(leases, { lease.id, lease.state, lease.account, lease.budget, lease.acquired, alive[i + 1],
        lease.expected_end, lease.info })
    end
  end
  for _, id in ipairs(call('HKEYS', ACCOUNTS)) do
    local account = read(ACCOUNTS, id)
    table.insert(accounts, { id, account.active and 1 or 0, account.priority, account.budgets,
      waiting_for(id) - (dead[id] or 0), account.info })
  end
  local lingering = {}
  for _, member in ipairs(call('ZRANGEBYSCORE', LINGERING, '(' .. now, '+inf')) do
    local id = string.match(member, '^(.-)|')
    lingering[id] = (lingering[id] or 0) + 1
  end
  for _, id in ipairs(call('HKEYS', BUDGETS)) do
    local budget = read(BUDGETS, id)
    local late = lingering[id] or 0
    table.insert(budgets, { id, budget.limit, ceiling(budget) or -1, lower(bound(budget), budget.believed),
      budget.believed, budget.viewers, others(budget) - budget.viewers, held(id) - late, budget.cool_until,
      budget.busy_count, budget.busy_at, budget.claimed, budget.claimed_at, budget.words, late,
      delay_of(budget), budget.release_delay and 1 or 0, budget.delay_at or 0, budget.delay_gap or 0,
      budget.delay_words or '', budget.exceeded or 0, budget.exceeded_at or 0 })
  end
  return { now, meta.generation, meta.most, meta.lease_ttl, closed_until, waiting, leases, accounts,
    budgets }
end)
