-- Which run of the server this is: another one after every start.
local function run_id() return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
