-- Notes a report about refused connections of a budget. 'refused': the provider refused this connection as too many.
-- 'suspected': it may have done so; the budget is limited until the same work with fewer connections shows it.
-- 'confirmed' and 'unfounded' settle a suspicion. Returns the limit learned or suspected, 0 for none, -1 without a
-- lease.
local SUSPECTED_MS = 60 * 1000

-- A growing delay explains at most this number of refusals, until a success at the limit confirms it. It doubles with
-- each, so that it can grow to the longest one.
local MOST_EXPLAINED = 6

local function learn(budget, most)
  budget.believed, budget.learned_at = lower(most, budget.believed), now
  budget.proven = math.min(budget.proven, most)
  -- The limit was lower: the delay explained nothing.
  if budget.delay_refusals > 0 then budget.learned_delay, budget.delay_refusals = nil, nil end
end

-- Returns the times of the budget's releases before a time that are not held any more, the latest first.
local function ended_before(budget_id, time)
  local times = {}
  for _, one in ipairs(closed_lately()) do
    local closed, at = unpack(one)
    if is_of(budget_id, closed) and at <= time and not call('ZSCORE', LINGERING, closed) then
      table.insert(times, at)
    end
  end
  return times
end

-- Returns the time between a refused connection's start and the release that explains the refusal, 0 without one. A
-- provider that has served as many connections at the same time refuses because it still counts closed ones.
local function gap_of(budget, lease)
  if budget.release_delay then return 0 end
  local began = lease.began or lease.acquired
  -- A delay that was learned after this connection began explains its refusal as well.
  if delay_of(budget) > 0 and began <= budget.delay_at then return budget.delay_gap end
  local most, connections = lower(bound(budget), budget.believed), held(budget.id) + others(budget)
  if most == 0 or connections > math.min(most, budget.proven) then return 0 end
  if delay_of(budget) >= LONGEST_DELAY_MS or budget.delay_refusals >= MOST_EXPLAINED then return 0 end
  local closed = ended_before(budget.id, began)[most - connections + 1]
  return closed and math.max(1, began - closed) or 0
end

-- Holds slots after their release for longer than the gap, and those that were released lately at once.
local function learn_delay(budget, gap)
  if delay_of(budget) > 0 and gap <= budget.delay_gap then return end
  local delay = math.min(LONGEST_DELAY_MS, gap + math.max(2000, gap))
  budget.learned_delay = math.max(delay_of(budget), delay)
  budget.delay_at, budget.delay_gap, budget.delay_words = now, gap, ''
  budget.delay_refusals = budget.delay_refusals + 1
  for _, one in ipairs(closed_lately()) do
    local closed, at = unpack(one)
    if is_of(budget.id, closed) then linger(closed, at, budget.learned_delay) end
  end
end

local function note_refusal(budget, most, gap)
  budget.busy_count, budget.busy_at = budget.busy_count + 1, now
  if gap > 0 then learn_delay(budget, gap) else learn(budget, most) end
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
  local gap = gap_of(budget, lease)
  budget.suspected = 0
  if kind == 'suspected' then
    budget.suspected, budget.suspected_until = lower(worked, suspected), now + rest + SUSPECTED_MS
    budget.suspected_delay = gap
  elseif kind == 'refused' then
    note_refusal(budget, worked, gap)
  elseif kind == 'confirmed' and suspected > 0 then
    note_refusal(budget, suspected, budget.suspected_delay or 0)
  end
  if kind == 'refused' or kind == 'suspected' then
    lease.refused = true
    write(LEASES, lease)
  end
  budget.cool_until = math.max(rests_until(budget), now + rest)
  write(BUDGETS, budget)
  event(kind == 'refused' and 'busy' or kind, id, lease.account, lease.info)
  reconsider_budget(budget.id)
  grant_all()
  return lower(budget.believed, budget.suspected)
end)
