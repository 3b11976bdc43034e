-- Count calls against rates. One number for each bucket: the instant, in microseconds of Redis's clock, at which all
-- of its quota is there again (the generic cell rate algorithm). It needs no clean-up: past that instant the key goes.
-- Put in front of every script that calls it. Counts are kept here until the script writes, which is its last step.
local full_at, counted = {}, {}
local names, intervals = {}, {}

-- Count one call in each of its buckets, or in none where one of them has no room.
-- packed: for each bucket: microseconds to win one call back (4 bytes), quota (4), length of the name (1), name
-- Returns whether it was counted, and how far each bucket is from being full then, in microseconds.
local function count(packed, now)
    local debts, room, at, many = {}, true, 1, 0
    while at <= #packed do
        local interval, quota, name
        interval, quota, name, at = struct.unpack('>I4I4Bc0', packed, at)
        local full = full_at[name] or tonumber(redis.call('GET', 'fc:rate:' .. name) or 0)
        full_at[name] = full
        local debt, span = full - now, interval * quota
        -- One that is further away than its span is of a clock that has gone back, or of another rate.
        if debt < 0 or debt > span then debt = 0 end
        room = room and debt + interval <= span
        many = many + 1
        names[many], intervals[many], debts[many] = name, interval, debt
    end
    if room then
        for i = 1, many do
            local name, debt = names[i], debts[i] + intervals[i]
            debts[i], full_at[name], counted[name] = debt, now + debt, debt
        end
    end
    return room, debts
end

-- Write what was counted.
local function keep_counts()
    for name, debt in pairs(counted) do
        redis.call('SET', 'fc:rate:' .. name, string.format('%.0f', full_at[name]), 'PX', math.ceil(debt / 1000))
    end
end
