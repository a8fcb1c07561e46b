-- Puts the picture of a stream among those that wait for an API server, if there is room or it replaces another one.
-- KEYS: the waiting pictures. ARGV: stream id, JPEG, the largest number of pictures.
-- Returns 1 if the picture was put there.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], 86400)
return 1
