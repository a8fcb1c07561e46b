-- A provider refused a connection for being one too many: lowers what is believed of the budget, and lets it rest.
local id, holder, retry_after = unpack(ARGV)

begin()
local lease = read_lease(id)
if not lease or lease.holder ~= holder then return -1 end
local budget = read_budget(lease.budget)
if not budget then return -1 end
-- The refused connection is one of those held.
local believed = math.max(1, held(budget.id) - 1 + budget.viewers)
if budget.believed == 0 or believed < budget.believed then budget.believed = believed end
budget.busy_count, budget.busy_at, budget.learned_at = budget.busy_count + 1, now, now
budget.cool_until = math.max(budget.cool_until, now + tonumber(retry_after))
write_budget(budget)
event('busy', id, lease.account, lease.info)
return budget.believed
