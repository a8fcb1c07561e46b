-- Keeps waiters alive. Answers the state of each: waiting, granted, held, gone, or why its account is barred.
begin()
local states, bars = {}, {}
for i, id in ipairs(ARGV) do
  local waiter = read_waiter(id)
  if waiter then
    if bars[waiter.account] == nil then bars[waiter.account] = barred(read_account(waiter.account)) or false end
    if bars[waiter.account] then
      states[i] = bars[waiter.account]
      drop_waiter(waiter)
    else
      states[i] = 'waiting'
      call('ZADD', TOUCHED, now, id)
    end
  else
    local lease = read_lease(id)
    states[i] = lease and lease.state or 'gone'
  end
end
grant_all()
return states
