-- Count calls that come without a command: reads, log-ins.
-- ARGV: for each call: its buckets, packed as rate.lua takes them
-- Returns for each call: 1 if it was counted, 0 if one of its buckets had no room and none was; then how far each
-- bucket is from being full, in microseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answer = {}
for i, packed in ipairs(ARGV) do
    local room, debts = count(packed, now)
    answer[2 * i - 1], answer[2 * i] = room and 1 or 0, debts
end
keep_counts()
return answer
