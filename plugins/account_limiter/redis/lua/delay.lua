-- Stores the time for which a provider counts a closed connection of a login, as its panel shows. Arguments: budget,
-- time in ms, the panel's words.
transition('delay', function(args)
  local budget = read(BUDGETS, args[1])
  if not budget then return 0 end
  budget.learned_delay, budget.delay_at = math.min(tonumber(args[2]), LONGEST_DELAY_MS), now
  budget.delay_gap, budget.delay_refusals, budget.delay_words = 0, 0, args[3]
  write(BUDGETS, budget)
  event('delayed', '', '', cjson.encode({ budget_id = budget.id, delay = budget.learned_delay, words = args[3] }))
  return 1
end)
