-- Make queued commands findable by their request ids, before their callers are told to come back.
-- ARGV: for each: request id, resource, field, caller
-- One that is not queued any more was decided: the ledger has it.
for i = 1, #ARGV, 4 do
    local place = redis.call('HGET', 'fc:state:' .. ARGV[i + 1], ARGV[i + 2])
    if place and string.sub(place, 9) == ARGV[i] then
        redis.call('HSET', 'fc:state:' .. ARGV[i + 1], 'marked', '1')
        local address = ARGV[i + 2] .. ARGV[i + 1] .. ' ' .. ARGV[i + 3]
        redis.call('SET', 'fc:request:' .. ARGV[i], address, 'EX', DAY)
    end
end
return 0
