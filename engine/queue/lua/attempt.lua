-- Count one more attempt at the head of a suspect resource, just before it is made.
-- ARGV: token of the turn, resource, id of the attempt: repeating the call, whose answer was lost, counts nothing
-- Returns how often the head was attempted with this time, or 0 if the turn does not hold the resource.
local token, resource, attempt = ARGV[1], ARGV[2], ARGV[3]
local state = 'fc:state:' .. resource
local found = redis.call('HMGET', state, 'owner', 'tries_of', 'tries', 'attempt')
local head = redis.call('LINDEX', 'fc:queue:' .. resource, 0)
if found[1] ~= token or not head then return 0 end
local ticket = string.format('%.0f', struct.unpack('>I8', head, 2))
local tries = found[2] == ticket and tonumber(found[3]) or 0
if found[4] == attempt then return tries end
redis.call('HSET', state, 'tries_of', ticket, 'tries', tries + 1, 'attempt', attempt)
return tries + 1
