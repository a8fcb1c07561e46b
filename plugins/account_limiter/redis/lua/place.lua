-- Returns the place of a waiter in the queue of its account, 1 for the first; 0 when it does not wait.
reading('place', function(args)
  local waiter = read(WAITERS, args[1])
  if not waiter then return 0 end
  local before = waiter.account .. '|'
  return 1 + call('ZLEXCOUNT', QUEUE, '[' .. before, '(' .. before .. waiter.rank .. '|' .. waiter.id)
end)
