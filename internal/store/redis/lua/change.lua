#!lua flags=allow-oom
-- Puts a new record in the place of the one it was made from: a compare-and-swap, which also fails if time has changed
-- the record since. A full server must still open, erase and revoke, hence allow-oom.
-- KEYS: record, payload; events not yet delivered, uploaded payload: if there are any
-- ARGV: the time that the rule ran at, when time changes the old record,
--       the old record, the new one ('' drops it), its end,
--       what becomes of the payload ('stays', 'ends', 'is erased', 'moves out', 'is uploaded'), its end,
--       '1' if the payload must be there, '1' to write even what has not changed, an event or '', its end
-- gives the time and 'changed' with what stood behind the record, or 'other' with the value that is there (nil: none),
--       or 'lost' if the payload is no more
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local value = redis.call('GET', KEYS[1])
local ran, due = tonumber(ARGV[1]), tonumber(ARGV[2])
local old, new, payload, inside = ARGV[3], ARGV[4], ARGV[6], ''
if value and value ~= old and string.sub(value, 1, #old) == old then
	inside = string.sub(value, #old + 1)
elseif value ~= old then
	return {now, 'other', value}
end
if ran > now or now - ran > 2000 or ran < due and due <= now then return {now, 'other', value} end
if ARGV[8] == '1' and redis.call('EXISTS', KEYS[2]) == 0
	or payload == 'is uploaded' and redis.call('EXISTS', KEYS[4]) == 0 then
	return {now, 'lost'}
end

if payload == 'is erased' then
	redis.call('UNLINK', KEYS[2])
elseif payload == 'moves out' then
	redis.call('SET', KEYS[2], inside, 'PXAT', ARGV[7])
elseif payload == 'is uploaded' then
	redis.call('RENAME', KEYS[4], KEYS[2])
	redis.call('PEXPIREAT', KEYS[2], ARGV[7])
elseif payload == 'ends' then
	redis.call('PEXPIREAT', KEYS[2], ARGV[7])
end
if ARGV[10] ~= '' then
	redis.call('RPUSH', KEYS[3], ARGV[10])
	redis.call('PEXPIREAT', KEYS[3], ARGV[11])
end
if new == '' then
	redis.call('UNLINK', KEYS[1], KEYS[2])
elseif new ~= old or ARGV[9] == '1' then
	if payload == 'stays' and inside ~= '' then new = new .. inside end
	redis.call('SET', KEYS[1], new, 'PXAT', ARGV[5])
end
return {now, 'changed', inside}
