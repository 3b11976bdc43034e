-- Take ready resources for a turn, and read the heads of their queues without removing them.
-- ARGV: token of the turn, how many commands at most
-- Returns for each resource: resource, 0 or how suspect its head is (0: read up to the limit; more: only the head
-- is read, and the attempt is not counted here), entries, and for each entry who else waits ('' if
-- nobody) and 1 if it was withdrawn.
-- A batch that failed names no culprit. After the first failure only its head is suspect, as most often it was no
-- command's fault; after a second one among what the first had read, all of that goes alone, so that a command that
-- kills its worker does so a bounded number of times, however many stand before it.
-- What the turn still holds from an earlier call goes back first: its answer was lost, or its batch failed.
local token, limit = ARGV[1], tonumber(ARGV[2])
local budget = limit
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local mine = 'fc:turn:' .. token

-- A turn that begins uses up its announcement.
if not redis.call('ZSCORE', 'fc:turns', token) then redis.call('ZPOPMIN', 'fc:announced') end
redis.call('ZADD', 'fc:turns', now + LEASE, token)
give_back_all(token)

local answer, taken = {}, {}
while budget > 0 do
    local resource = redis.call('LPOP', 'fc:ready')
    if not resource then break end
    local state, queue = 'fc:state:' .. resource, 'fc:queue:' .. resource
    local entries = redis.call('LRANGE', queue, 0, budget - 1)
    local head = entries[1]
    if not head then
        give_back(resource, true)
    else
        local found = redis.call('HMGET', state, 'tries_of', 'tries', 'marked', 'doubt_to', 'alone_to')
        local number = struct.unpack('>I8', head, 2)
        local ticket = string.format('%.0f', number)
        local tries = found[1] == ticket and tonumber(found[2]) or 0
        local doubt, alone = tonumber(found[4]) or 0, tonumber(found[5]) or 0
        if tries > 0 or number <= alone then
            if number > doubt then
                redis.call('HSET', state, 'doubt_to', string.format('%.0f', number + limit - 1))
            elseif number > alone then
                redis.call('HSET', state, 'alone_to', found[4])
            end
            tries = math.max(tries, 1)
            entries = {head}
            redis.call('HSET', state, 'owner', token)
        else
            redis.call('HSET', state, 'owner', token, 'tries_of', ticket, 'tries', '1')
        end
        budget = budget - #entries
        local waits, withdrawn = {}, {}
        if found[3] then
            for i, entry in ipairs(entries) do
                local request = string.sub(entry, 18, 33)
                waits[i] = redis.call('HGET', 'fc:waiting:' .. resource, request) or ''
                withdrawn[i] = redis.call('SISMEMBER', 'fc:withdrawn:' .. resource, request)
            end
        end
        taken[#taken + 1] = resource
        local at = #answer
        answer[at + 1], answer[at + 2], answer[at + 3] = resource, tries, entries
        answer[at + 4], answer[at + 5] = waits, withdrawn
    end
end
if #taken > 0 then redis.call('SADD', mine, unpack(taken)) end
-- More is left than one turn takes at a time: wake another.
if redis.call('LLEN', 'fc:ready') > 0 and redis.call('LLEN', 'fc:wake:turns') < 8 then
    redis.call('RPUSH', 'fc:wake:turns', '1')
end
return answer
