-- Stores a provider's statement about a login: the connections that it allows (0: not stated), those in use beyond
-- leases and viewers, and its words.
transition('claim', function(args)
  local id, limit, elsewhere, words = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  local budget = read(BUDGETS, id)
  if not budget then return 0 end
  if budget.claimed ~= limit or budget.elsewhere ~= elsewhere then
    event('claimed', '', '', cjson.encode({ budget_id = id, limit = limit, elsewhere = elsewhere, words = words }))
  end
  budget.claimed, budget.elsewhere, budget.claimed_at, budget.words = limit, elsewhere, now, words
  forget_useless_belief(budget)
  write(BUDGETS, budget)
  reconsider_budget(id)
  grant_all()
  return 1
end)
