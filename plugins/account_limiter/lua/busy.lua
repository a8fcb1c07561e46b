-- A provider refused a connection for being one too many: lowers what is believed of the budget, and lets it rest.
transition('busy', function(args)
  local id, holder, retry_after = unpack(args)
  local lease = read(LEASES, id)
  if not lease or lease.holder ~= holder then return -1 end
  local budget = read(BUDGETS, lease.budget)
  if not budget then return -1 end
  -- The refused connection is one of those held.
  budget.believed = lower(math.max(1, held(budget.id) - 1 + others(budget)), budget.believed)
  budget.busy_count, budget.busy_at, budget.learned_at = budget.busy_count + 1, now, now
  budget.cool_until = math.max(budget.cool_until, now + tonumber(retry_after))
  write(BUDGETS, budget)
  event('busy', id, lease.account, lease.info)
  return budget.believed
end)
