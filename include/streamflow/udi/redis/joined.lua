-- Returns the reply of a command that lists members as one string, separated by commas.
-- KEYS: a set, sorted set or hash. ARGV: the command, and its further arguments.
return table.concat(redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2)), ',')
