#!lua flags=allow-oom
-- A page of a list, the newest first, and how many are in it.
-- KEYS: members by when they were made, members by when they leave
-- ARGV: first place, last place
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
while true do
	local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
	if #over == 0 then break end
	redis.call('ZREM', KEYS[1], unpack(over))
	redis.call('ZREM', KEYS[2], unpack(over))
end
return {redis.call('ZCARD', KEYS[1]), redis.call('ZREVRANGE', KEYS[1], ARGV[1], ARGV[2])}
