-- KEYS: a set, sorted set or hash. ARGV: the command that reads it, and the command's further arguments.
-- Answers what the command answers as one string, comma-separated.
return table.concat(redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2)), ',')
