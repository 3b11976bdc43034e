-- Note that appendfsync is ours to set back, or that it was. A server that is started anew reads its own setting again,
-- so the note counts for this run of it only.
-- ARGV: token of the lock, 1 to note it, 0 to forget it
-- Returns 0 where the lock was lost, and nothing is changed.
if redis.call('GET', 'fc:flushing') ~= ARGV[1] then return 0 end
if ARGV[2] == '1' then
    redis.call('SET', 'fc:everysec', run_id())
else
    redis.call('DEL', 'fc:everysec')
end
return 1
