-- Ends every lease and drops every waiter. An earlier holder cannot renew, because its generation has ended. Its slot
-- counts until the holder releases it or the lease expires.
transition('reset', function()
  local released, dropped = 0, call('HLEN', WAITERS)
  for _, id in ipairs(call('HKEYS', LEASES)) do
    local lease = read(LEASES, id)
    if is_current(lease) then released = released + 1 end
    if lease.state == 'granted' then drop_lease(lease) end
  end
  call('DEL', ENDS, WAITERS, QUEUE, TOUCHED, CALLED, CANDIDATES, DUE)
  -- A generation is a time, so that it is above every earlier one after Redis has lost its data.
  change_meta({ generation = math.max(now, meta.generation + 1) })
  event('reset', '', '')
  call('PUBLISH', CHANNEL, '')
  return { released, dropped }
end, 'allow-oom')
