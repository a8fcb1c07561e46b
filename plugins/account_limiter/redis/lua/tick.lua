-- What time alone brings about: expired leases go, free slots are granted, the next waiters called. Answers the
-- milliseconds until the next such moment (-1: none known), and every grant that nobody has claimed yet.
transition('tick', function()
  -- A clock that was set back must not prolong a lease beyond what its holder may count on.
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '(' .. now + math.max(meta.longest_ttl, meta.grant_ttl), '+inf')) do
    call('ZADD', EXPIRY, now + meta.longest_ttl, id)
  end
  -- Nor may it make somebody listened for, or called, whom nobody asks after.
  for _, key in ipairs({ TOUCHED, CALLED }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', key, '(' .. now, '+inf')) do
      call('ZADD', key, now, id)
    end
  end
  local due = lower(grant_all(), next_call())
  if call('ZCARD', QUEUE) > 0 then call_to_look() end
  due = lower(due, tonumber(call('ZRANGE', EXPIRY, 0, 0, 'WITHSCORES')[2] or 0))
  return { due > 0 and math.max(0, due - now) or -1, call('ZRANGE', GRANTED, 0, -1) }
end)
