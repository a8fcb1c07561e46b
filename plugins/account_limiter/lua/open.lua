-- Ends the time of waiting for earlier holders.
begin()
call('HSET', META, 'closed_until', 0)
meta.closed_until = 0
grant_all()
return 1
