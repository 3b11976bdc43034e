-- Give each command the next ticket of its resource and put it at the end of that resource's queue.
-- ARGV: memory id to take if there is none, queue limit, then for each command:
--       resource, field, request id, api, body, last ticket decided and memory id (both '' if not asked),
--       the buckets in which it counts, packed as rate.lua takes them ('' if in none)
-- Returns: memory id, 1 if a turn was announced, then for each command: ticket (0: the queue has no state
-- and the ticket cannot be known here; -1: the queue is full; -2: one of its buckets has no room), request id
-- of the entry, last ticket decided, and how far each bucket is from being full, in microseconds (0: not counted).
-- Repeating a call changes nothing: a command that is queued keeps its ticket, and who asks is added to
-- those who wait. Everything is checked before the first write.
-- A rate is looked at last, when the next ticket would be given, so it changes nothing about tickets: a command
-- over its rate has none, as if it had never come, like one that meets a full queue; the others get the numbers
-- that they would have had without it. One that has its ticket is not counted again.
local VERSION = 2
local memory = redis.call('GET', 'fc:memory')
local fresh = not memory
if fresh then memory = ARGV[1] end
local limit = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local answer = {memory, 0}
local queues, order = {}, {}
local joined = {}

for i = 3, #ARGV, 8 do
    local resource, field, request, api, body = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
    local queue = queues[resource]
    local found
    if queue then
        found = queue.fields[field] or redis.call('HGET', 'fc:state:' .. resource, field)
    else
        local state = redis.call('HMGET', 'fc:state:' .. resource, 'next', 'owner', field)
        queue = {next = tonumber(state[1]), owner = state[2], length = 0, fields = {}, entries = {}, writes = {}}
        if not queue.next then
            -- Its state was deleted by hand, and entries are left: the numbers go on behind the last of them.
            local last = redis.call('LINDEX', 'fc:queue:' .. resource, -1)
            queue.next = last and struct.unpack('>I8', last, 2) + 1
            queue.orphaned = last
        end
        if queue.next then
            queue.decided = queue.next - 1
            if queue.owner or queue.orphaned then
                queue.length = redis.call('LLEN', 'fc:queue:' .. resource)
                queue.decided = decided(resource, queue.next)
            end
        end
        found = state[3]
        queues[resource] = queue
        order[#order + 1] = resource
    end
    if not queue.next and ARGV[i + 6] == memory then
        queue.next = tonumber(ARGV[i + 5]) + 1
        queue.decided = queue.next - 1
    end
    local at = #answer
    local buckets, room, debts = ARGV[i + 7], true, 0
    if not queue.next then
        answer[at + 1], answer[at + 2], answer[at + 3] = 0, request, 0
    elseif found then
        local ticket, entry = struct.unpack('>I8c16', found)
        joined[#joined + 1] = {resource, entry, api}
        answer[at + 1], answer[at + 2], answer[at + 3] = ticket, entry, queue.decided
    elseif queue.length + #queue.entries >= limit then
        answer[at + 1], answer[at + 2], answer[at + 3] = -1, request, queue.decided
    else
        if buckets ~= '' then room, debts = count(buckets, now) end
        if room then
            local ticket = queue.next
            local place = struct.pack('>I8c16', ticket, request)
            queue.next = ticket + 1
            queue.fields[field] = place
            queue.entries[#queue.entries + 1] =
                struct.pack('>BI8I8c16c16', VERSION, ticket, now, request, field) .. body
            local writes = queue.writes
            writes[#writes + 1] = field
            writes[#writes + 1] = place
            answer[at + 1], answer[at + 2], answer[at + 3] = ticket, request, queue.decided
        else
            answer[at + 1], answer[at + 2], answer[at + 3] = -2, request, queue.decided
        end
    end
    answer[at + 4] = debts
end

if fresh then redis.call('SET', 'fc:memory', memory) end
local woken = false
for _, resource in ipairs(order) do
    local queue = queues[resource]
    local entries = queue.entries
    if #entries > 0 then
        local state = 'fc:state:' .. resource
        local writes = queue.writes
        writes[#writes + 1] = 'next'
        writes[#writes + 1] = string.format('%.0f', queue.next)
        if not queue.owner then
            writes[#writes + 1] = 'owner'
            writes[#writes + 1] = READY
            redis.call('PERSIST', state)
            if queue.orphaned then redis.call('LREM', 'fc:ready', 0, resource) end
            redis.call('RPUSH', 'fc:ready', resource)
            woken = true
        end
        for first = 1, #entries, 1000 do
            redis.call('RPUSH', 'fc:queue:' .. resource, unpack(entries, first, math.min(first + 999, #entries)))
        end
        for first = 1, #writes, 1000 do
            redis.call('HSET', state, unpack(writes, first, math.min(first + 999, #writes)))
        end
    end
end
for _, who in ipairs(joined) do
    local resource, request, api = who[1], who[2], who[3]
    local key = 'fc:waiting:' .. resource
    local waiting = redis.call('HGET', key, request) or ''
    if not string.find(' ' .. waiting .. ' ', ' ' .. api .. ' ', 1, true) then
        redis.call('HSET', key, request, waiting == '' and api or waiting .. ' ' .. api)
        redis.call('HSET', 'fc:state:' .. resource, 'marked', '1')
    end
end
if woken and redis.call('LLEN', 'fc:wake:turns') < 8 then redis.call('RPUSH', 'fc:wake:turns', '1') end
keep_counts()
answer[2] = announce(now)
return answer
