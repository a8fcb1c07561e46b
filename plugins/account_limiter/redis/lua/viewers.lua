-- Notes how many viewers each budget has: how long ago that was seen, '1' if unnamed budgets have none, (id, viewers)…
-- An older view never replaces a newer one, unless that was seen before the clock was set back.
transition('viewers', function(args)
  local seen_at, complete, seen = now - tonumber(args[1]), args[2] == '1', {}
  for i = 3, #args, 2 do
    seen[args[i]] = tonumber(args[i + 1])
  end
  local changed = 0
  for _, id in ipairs(call('HKEYS', BUDGETS)) do
    local budget, viewers = read(BUDGETS, id), seen[id] or (complete and 0 or nil)
    if viewers and (budget.viewers_at <= seen_at or budget.viewers_at > now) then
      if budget.viewers ~= viewers then changed = changed + 1 end
      budget.viewers, budget.viewers_at = viewers, seen_at
      write(BUDGETS, budget)
    end
  end
  grant_all()
  return changed
end)
