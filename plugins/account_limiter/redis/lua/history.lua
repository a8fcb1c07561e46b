-- Returns the samples since a time, oldest first. They are coarse if the step is coarse or the fine ones do not reach
-- back far enough, followed by the fine ones after the last coarse one. The state since the last sample is one more.
local READ_AT_ONCE = 1000

local function samples(key, width, kept, from, till)
  local found, slot = {}, math.max(math.floor(from / width), math.floor(till / width) - kept + 1)
  local last = math.floor(till / width)
  while slot < last do
    local first, fields = slot, {}
    while slot < last and #fields < READ_AT_ONCE do
      table.insert(fields, slot % kept)
      slot = slot + 1
    end
    for i, text in ipairs(call('HMGET', key, unpack(fields))) do
      if text and tonumber(string.match(text, '^%d+')) == first + i - 1 then table.insert(found, text) end
    end
  end
  return found
end

-- Arguments: begin and step in ms.
reading('history', function(args)
  local since, step = tonumber(args[1]), tonumber(args[2])
  local coarse, coarse_samples = step >= COARSE_MS or since < now - FINE_KEPT * FINE_MS, {}
  -- The sample before the begin holds the state at the begin.
  local fine_since = since - meta.lease_ttl
  if coarse then
    local pending = math.floor(meta.slot * FINE_MS / COARSE_MS) * COARSE_MS
    coarse_samples = samples(HISTORY_COARSE, COARSE_MS, COARSE_KEPT, since, pending)
    fine_since = math.max(fine_since, pending)
  end
  local fine_samples = samples(HISTORY, FINE_MS, FINE_KEPT, fine_since, meta.slot * FINE_MS)
  if meta.slot > 0 then table.insert(fine_samples, sample_text(meta.slot, current_rows())) end
  return { now, meta.lease_ttl, COARSE_MS, coarse_samples, FINE_MS, fine_samples, coarse and COARSE_MS or FINE_MS }
end)
