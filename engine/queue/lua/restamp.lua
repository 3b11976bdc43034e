-- Give a queue that came back from an old memory new tickets, in its order. The only way a ticket changes.
-- ARGV: resource, the head that was found stale, the first new ticket
-- Returns how many entries were restamped; 0 if the head is another by now.
local resource, base = ARGV[1], tonumber(ARGV[3])
local state, queue = 'fc:state:' .. resource, 'fc:queue:' .. resource
if redis.call('LINDEX', queue, 0) ~= ARGV[2] then return 0 end
local entries = redis.call('LRANGE', queue, 0, -1)
local writes, stamped = {}, {}
for i, entry in ipairs(entries) do
    local ticket = struct.pack('>I8', base + i - 1)
    stamped[i] = string.sub(entry, 1, 1) .. ticket .. string.sub(entry, 10)
    writes[2 * i - 1] = string.sub(entry, 34, 49)
    writes[2 * i] = ticket .. string.sub(entry, 18, 33)
end
redis.call('DEL', queue)
for first = 1, #stamped, 1000 do
    redis.call('RPUSH', queue, unpack(stamped, first, math.min(first + 999, #stamped)))
end
for first = 1, #writes, 1000 do
    redis.call('HSET', state, unpack(writes, first, math.min(first + 999, #writes)))
end
redis.call('HSET', state, 'next', string.format('%.0f', base + #entries))
redis.call('HDEL', state, 'tries', 'tries_of', 'doubt_to', 'alone_to')
return #entries
