-- End a turn, but only if nothing is ready: looked at in this very step, so that no work is left to the sweep.
-- ARGV: token of the turn, 1 if its slice is over: then it ends anyway and its successor is announced
-- Returns 1 if it ended; 2 if it ended and the caller must now enqueue its successor's job; 0 if it goes on.
local token = ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
if ARGV[2] ~= '1' and redis.call('LLEN', 'fc:ready') > 0 then return 0 end
give_back_all(token)
redis.call('ZREM', 'fc:turns', token)
if ARGV[2] == '1' then
    redis.call('ZADD', 'fc:announced', now + ANNOUNCED, string.format('%.0f:%s', now, token))
    return 2
end
return 1
