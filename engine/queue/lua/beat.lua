-- Keep a worker and its turns alive. A turn that was swept is not brought back: it begins anew when it takes.
-- ARGV: <turns it can run>:<worker>, then tokens of its turns
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZADD', 'fc:workers', now + LEASE, ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', 'fc:turns', 'XX', now + LEASE, ARGV[i]) end
return 0
