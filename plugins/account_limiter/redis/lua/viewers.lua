-- Stores the number of viewers of each budget. Arguments: age of the count in ms, '1' if budgets that are not named
-- have none, (id, viewers) of each. An older count never replaces a newer one, unless that one was made before the
-- clock was set back.

-- Connections above the limit are an excess when they last for this time: checks yield to viewers sooner.
local EXCESS_MS = 5000

-- Notes whether leases and connections of others are more than the budget's limit.
local function note_excess(budget)
  local most = limit_of(budget)
  local used = most > 0 and held(budget.id) + others(budget) > most and open_connections(budget.id) or 0
  local excess = used > 0 and math.min(used, used + others(budget) - most) or 0
  if excess <= 0 then
    budget.excess_since = nil
  elseif not budget.excess_since then
    budget.excess_since = now
  elseif now - budget.excess_since >= EXCESS_MS then
    budget.exceeded, budget.exceeded_at = excess, now
  end
end

transition('viewers', function(args)
  local seen_at, complete, seen = now - tonumber(args[1]), args[2] == '1', {}
  for i = 3, #args, 2 do
    seen[args[i]] = tonumber(args[i + 1])
  end
  local changed = 0
  for _, id in ipairs(call('HKEYS', BUDGETS)) do
    local budget, viewers = read(BUDGETS, id), seen[id] or (complete and 0 or nil)
    if viewers and (budget.viewers_at <= seen_at or budget.viewers_at > now) then
      local before = budget.viewers
      budget.viewers, budget.viewers_at = viewers, seen_at
      note_excess(budget)
      write(BUDGETS, budget)
      if before ~= viewers then
        changed = changed + 1
        call(viewers > 0 and 'SADD' or 'SREM', VIEWED, id)
        reconsider_budget(id)
      end
    end
  end
  grant_all()
  return changed
end)
