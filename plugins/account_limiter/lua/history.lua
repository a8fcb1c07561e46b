-- Samples of the slots from the first to the last that are asked for, oldest first, changing nothing; what happened in
-- the current slot comes as a sample of its own. ARGV: '1' for the coarse ones, since when (ms).
local coarse, since = ARGV[1] == '1', tonumber(ARGV[2])
local width, kept, key = FINE_MS, FINE_KEPT, HISTORY
if coarse then
  width, kept, key = COARSE_MS, COARSE_KEPT, HISTORY_COARSE
end
read_meta()
local last = math.floor(now / width)
local samples = {}
local slot = math.max(math.floor(since / width), last - kept + 1)
while slot < last do
  local fields, first = {}, slot
  while slot < last and #fields < 1000 do
    table.insert(fields, slot % kept)
    slot = slot + 1
  end
  for i, text in ipairs(call('HMGET', key, unpack(fields))) do
    if text and tonumber(string.match(text, '^%d+')) == first + i - 1 then table.insert(samples, text) end
  end
end
return { now, width, meta.lease_ttl, samples, sample_text(math.floor(now / FINE_MS), current_rows()) }
