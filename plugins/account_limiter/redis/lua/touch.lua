-- Keeps waiters alive. Returns the state of each: waiting, granted, held, gone, or the reason that bars its account.
transition('touch', function(args)
  local states, bars = {}, {}
  for i, id in ipairs(args) do
    local waiter = read(WAITERS, id)
    if waiter then
      if bars[waiter.account] == nil then bars[waiter.account] = barred(read(ACCOUNTS, waiter.account)) or false end
      if bars[waiter.account] then
        states[i] = bars[waiter.account]
        drop_waiter(waiter)
      else
        states[i] = 'waiting'
        touch(waiter)
      end
    else
      local lease = read(LEASES, id)
      states[i] = lease and lease.state or 'gone'
    end
  end
  grant_all()
  return states
end)
