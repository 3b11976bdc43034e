-- Remove from the heads of queues exactly the entries that were answered.
-- ARGV: for each resource: resource, number of entries, the entries as they were read
-- Returns request id and API processes of all that wait beside the one in the entry: some may have joined
-- since the heads were read. Compared as bytes, stopping at the first that differs: after a loss of memory
-- the same ticket may stand there for another request. A batch is far below the 8,000 that unpack can take.
local late = {}
local i = 1
while i < #ARGV do
    local resource, count = ARGV[i], tonumber(ARGV[i + 1])
    local state, queue = 'fc:state:' .. resource, 'fc:queue:' .. resource
    local heads = redis.call('LRANGE', queue, 0, count - 1)
    local fields, requests, same = {}, {}, 0
    while same < #heads and heads[same + 1] == ARGV[i + 2 + same] do
        same = same + 1
        fields[same] = string.sub(heads[same], 34, 49)
        requests[same] = string.sub(heads[same], 18, 33)
    end
    if same > 0 then
        if redis.call('HGET', state, 'marked') then
            for _, request in ipairs(requests) do
                local waiting = redis.call('HGET', 'fc:waiting:' .. resource, request)
                if waiting then
                    late[#late + 1] = request
                    late[#late + 1] = waiting
                    redis.call('HDEL', 'fc:waiting:' .. resource, request)
                end
                redis.call('SREM', 'fc:withdrawn:' .. resource, request)
                redis.call('DEL', 'fc:request:' .. request)
            end
        end
        redis.call('LPOP', queue, same)
        redis.call('HDEL', state, unpack(fields))
    end
    i = i + 2 + count
end
return late
