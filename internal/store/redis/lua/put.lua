#!lua
-- Keeps a new record and its payload, unless the name is taken.
-- KEYS: record, payload; uploaded payload, if there is one
-- ARGV: the time that the record was made for, the value, its end,
--       where the payload is ('inside' the value, 'here' or 'uploaded'), its end, the payload
-- gives the time and 'kept', or 'taken' with the value that is there already, or 'late' if the record was made for another
--       time, or 'lost' if the uploaded payload is no more
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local made, where = tonumber(ARGV[1]), ARGV[4]
if made > now or now - made > 2000 then return {now, 'late'} end
if where == 'uploaded' and redis.call('EXISTS', KEYS[3]) == 0 then return {now, 'lost'} end

local taken = redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3], 'NX', 'GET')
if taken then return {now, 'taken', taken} end
if where == 'here' then
	redis.call('SET', KEYS[2], ARGV[6], 'PXAT', ARGV[5])
elseif where == 'uploaded' then
	redis.call('RENAME', KEYS[3], KEYS[2])
	redis.call('PEXPIREAT', KEYS[2], ARGV[5])
end
return {now, 'kept'}
