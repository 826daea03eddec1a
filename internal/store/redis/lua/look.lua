#!lua flags=allow-oom
-- What is under a name, and this server's time, which the rules go by. It says allow-oom, because a full server must still be
-- read, and not no-writes, because a replica must refuse: it may lack what others were told.
-- KEYS: a string
local t = redis.call('TIME')
return {t[1] * 1000 + math.floor(t[2] / 1000), redis.call('GET', KEYS[1])}
