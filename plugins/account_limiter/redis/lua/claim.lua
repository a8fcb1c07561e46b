-- Notes what a provider says of a login: the connections that it allows (0: it does not say), those in use that are none
-- of ours, and its words.
transition('claim', function(args)
  local id, limit, elsewhere, words = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  local budget = read(BUDGETS, id)
  if not budget then return 0 end
  if budget.claimed ~= limit or budget.elsewhere ~= elsewhere then event('claimed', id, '', words) end
  budget.claimed, budget.elsewhere, budget.claimed_at, budget.words = limit, elsewhere, now, words
  forget_what_is_no_limit(budget)
  write(BUDGETS, budget)
  grant_all()
  return 1
end)
