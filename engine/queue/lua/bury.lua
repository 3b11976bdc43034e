-- Give back what the turns of a worker hold that is known to be dead, without waiting for their deadlines.
-- ARGV: worker
-- Leases are for liveness only, so this needs to be true of nobody: a worker that lives all the same meets the fence,
-- and is among the living again with its next beat.
-- Returns how many turns it had.
local buried = 0
for _, token in ipairs(redis.call('ZRANGE', 'fc:turns', 0, -1)) do
    if string.match(token, '^(%x+):') == ARGV[1] then
        give_back_all(token)
        redis.call('ZREM', 'fc:turns', token)
        buried = buried + 1
    end
end
for _, worker in ipairs(redis.call('ZRANGE', 'fc:workers', 0, -1)) do
    if string.match(worker, ':(%x+)$') == ARGV[1] then redis.call('ZREM', 'fc:workers', worker) end
end
return buried
