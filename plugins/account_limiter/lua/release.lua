-- Gives a slot back, or leaves the queue. Without a holder only what nobody has claimed is dropped.
local id, holder, outcome = unpack(ARGV)
local RAISE_AFTER_MS = 120 * 1000

-- A refusal lowers what is believed of a budget; a success while it is fully used, long after the last refusal,
-- raises it again by one, up to what is configured.
local function learn(lease)
  local budget = read_budget(lease.budget)
  if not budget or budget.believed == 0 or now - budget.learned_at < RAISE_AFTER_MS then return end
  if held(budget.id) < budget.believed - budget.viewers then return end
  budget.believed, budget.learned_at = budget.believed + 1, now
  if budget.limit > 0 and budget.believed >= budget.limit then budget.believed = 0 end
  write_budget(budget)
end

begin()
local lease = read_lease(id)
if lease and (lease.state == 'granted' or lease.holder == holder) then
  if outcome == 'ok' then learn(lease) end
  drop_lease(lease)
  event('released', id, lease.account, lease.info)
  if lease.state == 'held' then count('finished', lease.account) end
  grant_all()
  return 1
end
local waiter = not lease and read_waiter(id)
if waiter then
  drop_waiter(waiter)
  event('dropped', id, waiter.account, waiter.info)
  grant_all()
  return 1
end
return 0
