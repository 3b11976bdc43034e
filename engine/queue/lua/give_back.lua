-- Let a resource go: back to the end of the ready list if it has work, else idle for at most a day.
-- Put in front of every script that calls it. Looking and letting go are one step, so nothing is stranded.
local DAY = 86400
local READY = '+'
local function give_back(resource, marked)
    local state = 'fc:state:' .. resource
    if redis.call('EXISTS', 'fc:queue:' .. resource) == 1 then
        redis.call('HSET', state, 'owner', READY)
        redis.call('RPUSH', 'fc:ready', resource)
        if redis.call('LLEN', 'fc:wake:turns') < 8 then redis.call('RPUSH', 'fc:wake:turns', '1') end
    else
        if marked then redis.call('DEL', 'fc:waiting:' .. resource, 'fc:withdrawn:' .. resource) end
        redis.call('HDEL', state, 'owner', 'tries', 'tries_of', 'attempt', 'doubt_to', 'alone_to', 'marked')
        redis.call('EXPIRE', state, DAY)
    end
end

-- Give back what a turn holds, and forget that it held it.
local function give_back_all(token)
    for _, resource in ipairs(redis.call('SMEMBERS', 'fc:turn:' .. token)) do
        local found = redis.call('HMGET', 'fc:state:' .. resource, 'owner', 'marked')
        if found[1] == token then give_back(resource, found[2]) end
    end
    redis.call('DEL', 'fc:turn:' .. token)
end

-- The last ticket that was decided and trimmed.
local function decided(resource, next)
    local head = redis.call('LINDEX', 'fc:queue:' .. resource, 0)
    return (head and struct.unpack('>I8', head, 2) or next) - 1
end
