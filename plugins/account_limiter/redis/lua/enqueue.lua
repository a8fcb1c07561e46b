-- Adds a waiter to its account's queue, in its old place if it has its rank. A waiter that is queued already, or
-- whose slot is granted, stays unchanged.
transition('enqueue', function(args)
  local id, account_id, priority, rank, duration, info = unpack(args)
  local lease = read(LEASES, id)
  if lease then return answer(lease.state) end
  local why = barred(read(ACCOUNTS, account_id))
  if why then return refuse(why, account_id) end
  local waiter = read(WAITERS, id)
  if waiter then
    touch(waiter)
  else
    waiter = { id = id, account = account_id, rank = rank, duration = tonumber(duration), info = info }
    enqueue(waiter, tonumber(priority))
  end
  grant_all()
  if call('HEXISTS', LEASES, id) == 1 then return answer('granted') end
  return queued(waiter)
end)
