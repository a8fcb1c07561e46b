-- Puts a waiter into its account's queue, in its old place if it brings its rank. Nothing changes for one who waits
-- already or whose slot is granted.
local id, account_id, priority, rank, duration, info = unpack(ARGV)

begin()
local lease = read_lease(id)
if lease then return { lease.state } end
local account = read_account(account_id)
local why = barred(account)
if why then return refuse(why, account_id) end
local waiter = read_waiter(id)
if waiter then
  call('ZADD', TOUCHED, now, id)
else
  waiter = { id = id, account = account_id, rank = rank, duration = tonumber(duration), info = info }
  enqueue(waiter, tonumber(priority))
end
local due = grant_all()
if call('HEXISTS', LEASES, id) == 1 then return { 'granted' } end
return queued(waiter, due)
