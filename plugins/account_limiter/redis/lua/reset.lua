-- Ends every lease and forgets every waiter. A holder from before cannot renew, its generation is over; its slot counts
-- until it has stopped and said so, or until the lease would have ended without it.
transition('reset', function()
  local released, dropped = 0, call('HLEN', WAITERS)
  for _, id in ipairs(call('HKEYS', LEASES)) do
    local lease = read(LEASES, id)
    if is_current(lease) then released = released + 1 end
    if lease.state == 'granted' then drop_lease(lease) end
  end
  call('DEL', ENDS, WAITERS, QUEUE, TOUCHED, CALLED)
  -- A time, so that it stays above every earlier generation even after Redis has lost its data.
  change_meta({ generation = math.max(now, meta.generation + 1) })
  event('reset', '', '', '')
  call('PUBLISH', CHANNEL, '')
  return { released, dropped }
end, 'allow-oom')
