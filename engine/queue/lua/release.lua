-- Let resources go that the turn holds: back to ready if work is left, looked at in this very step.
-- ARGV: token of the turn, then for each resource: resource, 1 if the try is to be given back (its row was locked)
local token = ARGV[1]
local gone = {}
for i = 2, #ARGV, 2 do
    local resource = ARGV[i]
    local state = 'fc:state:' .. resource
    local found = redis.call('HMGET', state, 'owner', 'marked', 'tries')
    if found[1] == token then
        if ARGV[i + 1] == '1' and tonumber(found[3] or 0) > 0 then
            redis.call('HINCRBY', state, 'tries', -1)
            redis.call('HDEL', state, 'attempt')
        end
        gone[#gone + 1] = resource
        give_back(resource, found[2])
    end
end
if #gone > 0 then redis.call('SREM', 'fc:turn:' .. token, unpack(gone)) end
return 0
