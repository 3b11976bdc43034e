-- Give the lock back, if it is still ours.
-- ARGV: token
if redis.call('GET', 'fc:flushing') ~= ARGV[1] then return 0 end
return redis.call('DEL', 'fc:flushing')
