-- Notes a report about refused connections of a budget. 'refused': the provider refused this connection as too many.
-- 'suspected': it may have done so; the budget is limited until the same work with fewer connections shows it.
-- 'confirmed' and 'unfounded' settle a suspicion. Returns the limit learned or suspected, 0 for none, -1 without a
-- lease.
local SUSPECTED_MS = 60 * 1000

local function learn(budget, most)
  budget.believed = lower(most, budget.believed)
  budget.busy_count, budget.busy_at, budget.learned_at = budget.busy_count + 1, now, now
end

transition('busy', function(args)
  local id, holder, kind, retry_after = unpack(args)
  local lease = read(LEASES, id)
  if not lease or lease.holder ~= holder then return -1 end
  local budget = read(BUDGETS, lease.budget)
  if not budget then return -1 end
  local rest, suspected = math.min(tonumber(retry_after), LONGEST_REST_MS), suspicion(budget)
  -- The refused connection is one of the held ones.
  local worked = math.max(1, held(budget.id) - 1 + others(budget))
  budget.suspected = 0
  if kind == 'suspected' then
    budget.suspected, budget.suspected_until = lower(worked, suspected), now + rest + SUSPECTED_MS
  elseif kind == 'refused' then
    learn(budget, worked)
  elseif kind == 'confirmed' and suspected > 0 then
    learn(budget, suspected)
  end
  budget.cool_until = math.max(rests_until(budget), now + rest)
  write(BUDGETS, budget)
  event(kind == 'refused' and 'busy' or kind, id, lease.account, lease.info)
  reconsider_budget(budget.id)
  grant_all()
  return lower(budget.believed, budget.suspected)
end)
