-- Notes what a provider says of a login: the connections that it allows (0: it does not say), those in use that are none
-- of ours, and its words.
transition('claim', function(args)
  local id, limit, elsewhere, words = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  local budget = read(BUDGETS, id)
  if not budget then return 0 end
  if budget.claimed ~= limit or budget.elsewhere ~= elsewhere then event('claimed', id, '', words) end
  budget.claimed, budget.elsewhere, budget.claimed_at, budget.words = limit, elsewhere, now, words
  local most = bound(budget)
  if most > 0 and budget.believed >= most then budget.believed = 0 end
  write(BUDGETS, budget)
  grant_all()
  return 1
end)
