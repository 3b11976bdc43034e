-- Take back what dead turns hold, forget dead workers and announcements, and announce a turn if work waits.
-- Returns 1 if the caller must now enqueue the turn's job.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function expired(key, span)
    local dead = redis.call('ZRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', now))
    for _, far in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now + span), '+inf')) do
        dead[#dead + 1] = far
    end
    return dead
end
for _, token in ipairs(expired('fc:turns', LEASE)) do
    give_back_all(token)
    redis.call('ZREM', 'fc:turns', token)
end
for _, worker in ipairs(expired('fc:workers', LEASE)) do redis.call('ZREM', 'fc:workers', worker) end
for _, announced in ipairs(expired('fc:announced', ANNOUNCED)) do redis.call('ZREM', 'fc:announced', announced) end
if redis.call('LLEN', 'fc:ready') > 0 and redis.call('LLEN', 'fc:wake:turns') == 0 then
    redis.call('RPUSH', 'fc:wake:turns', '1')
end
return announce(now)
