-- Take the lock of whoever is about to force a flush.
-- ARGV: token, milliseconds after which it goes by itself
-- Returns 0 where another holds it, 1, or 2 where one that died left this run of the server at appendfsync always.
if not redis.call('SET', 'fc:flushing', ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local left = redis.call('GET', 'fc:everysec')
if left and left == run_id() then return 2 end
return 1
