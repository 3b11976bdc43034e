-- Look a queued command up by its request id, and mark it withdrawn if asked.
-- ARGV: request id, 1 to withdraw, whose it must be (empty: anyone's)
-- Returns ticket and last ticket decided, or nothing if it is not queued (any more), or another's.
local place = redis.call('GET', 'fc:request:' .. ARGV[1])
if not place then return {} end
local field = string.sub(place, 1, 16)
local resource, caller = string.match(string.sub(place, 17), '^(%d+) ?(.*)$')
if caller == '' then caller = 'anonymous' end -- the address is an older release's, when nobody was known
if ARGV[3] ~= '' and caller ~= ARGV[3] then return {} end
local state = 'fc:state:' .. resource
local found = redis.call('HMGET', state, field, 'next')
if not found[1] or string.sub(found[1], 9) ~= ARGV[1] then return {} end
if ARGV[2] == '1' then
    redis.call('SADD', 'fc:withdrawn:' .. resource, ARGV[1])
    redis.call('HSET', state, 'marked', '1')
end
return {(struct.unpack('>I8', found[1])), decided(resource, tonumber(found[2]))}
