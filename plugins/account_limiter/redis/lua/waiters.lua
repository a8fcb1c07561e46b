-- Returns the number of waiters, the number of those that no triggerer has touched lately, and the time since which the
-- first waiters of the accounts have waited, 0 without waiters.
reading('waiters', function()
  local oldest = 0
  for _, account_id in ipairs(accounts_with_waiters()) do
    local member = call('ZRANGEBYLEX', QUEUE, '[' .. account_id .. '|', '(' .. account_id .. '}', 'LIMIT', 0, 1)[1]
    local waiter = read(WAITERS, string.match(member, '^[^|]*|[^|]*|(.*)$'))
    if waiter then oldest = lower(oldest, waiter.queued) end
  end
  local waiting = living_waiters()
  return { waiting, call('ZCOUNT', TOUCHED, '(' .. now - WAITER_LIFE_MS, now - HEARD_MS), oldest }
end)
