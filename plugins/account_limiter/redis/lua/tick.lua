-- Applies the passing of time: ends expired leases, grants free slots and calls the next waiters. Returns the
-- milliseconds until the next such event (-1: none known), and every grant that is not claimed yet.

-- The index of candidates is rebuilt at this interval, and after the clock was set back.
local REBUILD_MS = 10 * 1000

local function rebuild_index()
  local rebuilt_at = tonumber(call('HGET', META, 'rebuilt_at') or 0)
  if rebuilt_at <= now and now < rebuilt_at + REBUILD_MS then return end
  call('HSET', META, 'rebuilt_at', now)
  if has_waiters() then consider_all() end
end

transition('tick', function()
  -- After the clock was set back, a lease still expires within the life that its holder was promised.
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '(' .. now + math.max(meta.longest_ttl, meta.grant_ttl), '+inf')) do
    local lease = read(LEASES, id)
    local ends = now + meta.longest_ttl
    if lease and lease.fixed then
      ends = math.max(ends, math.min(lease.hard_end, now + lease.hard_end - lease.acquired))
    end
    call('ZADD', EXPIRY, ends, id)
  end
  -- A waiter that was touched or called in the future would be granted a slot after its triggerer has stopped.
  for _, key in ipairs({ TOUCHED, CALLED }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', key, '(' .. now, '+inf')) do
      call('ZADD', key, now, id)
    end
  end
  for _, member in ipairs(call('ZRANGEBYSCORE', LINGERING, '(' .. now + LONGEST_DELAY_MS, '+inf')) do
    call('ZADD', LINGERING, now + LONGEST_DELAY_MS, member)
  end
  if meta.lingers and call('ZCARD', LINGERING) == 0 then change_meta({ lingers = false }) end
  rebuild_index()
  grant_all()
  if has_waiters() then call_to_look() end
  local due = lower(next_grant(), next_call())
  for _, key in ipairs({ EXPIRY, LINGERING }) do
    due = lower(due, tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or 0))
  end
  return { due > 0 and math.max(0, due - now) or -1, call('ZRANGE', GRANTED, 0, -1) }
end)
