-- Forgets every lease and waiter. A holder from before cannot renew: its generation is over.
begin()
local released, dropped = call('HLEN', LEASES), call('HLEN', WAITERS)
call('DEL', LEASES, EXPIRY, HELD, GRANTED, ENDS, WAITERS, QUEUE, TOUCHED, CALLED)
-- A time, so that it stays above every earlier generation even after Redis has lost its data.
call('HSET', META, 'generation', math.max(now, meta.generation + 1))
event('reset', '', '', '')
call('PUBLISH', CHANNEL, '')
return { released, dropped }
