-- Stores the number of viewers of each budget. Arguments: age of the count in ms, '1' if budgets that are not named
-- have none, (id, viewers) of each. An older count never replaces a newer one, unless that one was made before the
-- clock was set back.
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
