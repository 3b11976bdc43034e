-- Books with wrk, in one thread: every answer's status is counted, and told as one line of JSON at the end.
-- Arguments, after "--": kind, first slot, resources, the number of answers after which to stop (0: never), how the
-- names of the resources begin, a rule, which may be empty: with one, every booking is a series; and a file of access
-- tokens, a line each, or nothing: with it, slot n is asked for by the caller n modulo the tokens.
--   many   slot n is on resource n * 7919 modulo the resources (a permutation, so that neighbours in time are
--          not neighbours in an index), at minute n / resources
--   one    slot n is minute n of one resource
--   class  every request wants the same time: minute "first slot" of the class
--   read   nothing is booked: the address is asked for as it is
-- A slot is used once, so only what the kind allows may clash. Minutes count from the next century on, those of
-- series from a year later: series do not meet the single bookings before them, nor each other while there are
-- fewer of them on a resource than a day has minutes.

local ffi = require('ffi')
ffi.cdef[[int kill(int, int); int getpid(void);]]
local SIGINT = 2

local BEGINNING = 2840140800 -- 2060-01-01T00:00:00Z
local SERIES_BEGINNING = BEGINNING + 366 * 86400
local STEP = 7919

local kind, first, resources, limit, prefix, repeats
local beginning = BEGINNING
local answered = 0
local head
local bearers = {}
sent, statuses = 0, {} -- global, so that they can be asked for at the end

local booker
local spent_before
function setup(thread)
    booker = thread
    spent_before = os.clock() -- processor seconds of the whole process
end

function init(args)
    kind, first, resources, limit = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
    prefix, repeats = args[5], ''
    if args[6] ~= '' then
        beginning, repeats = SERIES_BEGINNING, '","recurrence_rule":"' .. args[6]
    end
    if args[7] ~= '' then
        for bearer in io.lines(args[7]) do
            bearers[#bearers + 1] = '\r\nAuthorization: Bearer ' .. bearer
        end
    end
    if kind == 'read' then
        head = 'GET ' .. wrk.path .. ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port .. '\r\n\r\n'
        return
    end
    head = 'POST ' .. wrk.path .. ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port
        .. '\r\nContent-Type: application/json'
end

local function instant(minute)
    return os.date('!%Y-%m-%dT%H:%M:%SZ', beginning + minute * 60)
end

local function wish(slot)
    if kind == 'many' then
        return string.format('%s-%05d', prefix, slot * STEP % resources), math.floor(slot / resources)
    elseif kind == 'one' then
        return 'room-one', slot
    end
    return 'class', first
end

function request()
    sent = sent + 1
    if kind == 'read' then
        return head
    end
    local resource, minute = wish(first + sent - 1)
    local body = '{"resource_id":"' .. resource .. '","start_time":"' .. instant(minute)
        .. '","end_time":"' .. instant(minute + 1) .. repeats .. '"}'
    local bearer = bearers[(first + sent - 1) % math.max(#bearers, 1) + 1] or ''
    return head .. bearer .. '\r\nContent-Length: ' .. #body .. '\r\n\r\n' .. body
end

function response(status)
    local name = tostring(status)
    statuses[name] = (statuses[name] or 0) + 1
    answered = answered + 1
    if answered == limit then
        wrk.thread:stop()
        ffi.C.kill(ffi.C.getpid(), SIGINT) -- else wrk sleeps until its time is over, and counts that
    end
end

function done(summary, latency, requests)
    local seconds = summary.duration / 1e6
    local counts = {}
    for status, count in pairs(booker:get('statuses')) do
        counts[#counts + 1] = string.format('"%s":%d', status, count)
    end
    local errors = summary.errors
    io.write(string.format(
        '\n{"seconds":%.6f,"sent":%d,"statuses":{%s},"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"longest_ms":%.3f,"busy":%.4f}\n',
        seconds, booker:get('sent'), table.concat(counts, ','),
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
        (os.clock() - spent_before) / seconds
    ))
end
