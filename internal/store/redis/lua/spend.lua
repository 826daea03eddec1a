#!lua flags=allow-oom
-- Spends from several budgets at once, or from none of them. A budget is the time at which it will be full again, in
-- microseconds (GCRA, ITU-T I.371).
-- KEYS: budgets
-- ARGV, for each: what is spent, in microseconds (negative gives back), how far ahead of now the budget may get ('' is as
--       far as it likes: what has happened is counted), '1' to only ask
-- gives in how many microseconds all would fit; 0 if they did
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, full = 0, {}
for i, key in ipairs(KEYS) do
	full[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + ARGV[3 * i - 2]
	if ARGV[3 * i - 1] ~= '' then wait = math.max(wait, full[i] - now - ARGV[3 * i - 1]) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
	if ARGV[3 * i] ~= '1' and full[i] > now then
		redis.call('SET', key, string.format('%d', full[i]), 'PX', math.ceil((full[i] - now) / 1000))
	elseif ARGV[3 * i] ~= '1' then
		redis.call('UNLINK', key)
	end
end
return 0
