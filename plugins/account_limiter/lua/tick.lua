-- What time alone brings about: expired leases go, free slots are granted, the next waiters called. Answers the
-- milliseconds until the next such moment (-1: none known), and every grant that nobody has claimed yet.
begin()
-- A clock that was set back must not prolong a lease beyond what its holder may count on.
local longest = math.max(meta.lease_ttl, tonumber(call('HGET', META, 'longest_ttl') or 0))
for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '(' .. now + math.max(longest, meta.grant_ttl), '+inf')) do
  call('ZADD', EXPIRY, now + longest, id)
end
local due = sooner(grant_all(), next_call())
due = sooner(due, tonumber(call('ZRANGE', EXPIRY, 0, 0, 'WITHSCORES')[2] or 0))
return { due > 0 and math.max(0, due - now) or -1, call('ZRANGE', GRANTED, 0, -1) }
