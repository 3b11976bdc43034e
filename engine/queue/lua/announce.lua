-- Announce a turn if work is ready and fewer turns are alive or announced than the living workers can run.
-- Put in front of every script that calls it, behind LEASE and ANNOUNCED, spans in microseconds (scripts.py).
-- Returns 1 if the caller must now enqueue the turn's job.
local function announce(now)
    if redis.call('LLEN', 'fc:ready') == 0 then return 0 end
    local room = 0
    for _, worker in ipairs(redis.call('ZRANGEBYSCORE', 'fc:workers', now, now + LEASE)) do
        room = room + tonumber(string.match(worker, '^%d+'))
    end
    local alive = redis.call('ZCOUNT', 'fc:turns', now, now + LEASE)
    local announced = redis.call('ZCOUNT', 'fc:announced', now, now + ANNOUNCED)
    if alive + announced >= math.max(room, 1) then return 0 end
    redis.call('ZADD', 'fc:announced', now + ANNOUNCED, string.format('%.0f:%d', now, announced))
    return 1
end
