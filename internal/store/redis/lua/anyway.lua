#!lua flags=allow-oom
-- Runs a command also on a full server: one that adds a few bytes, without which others would not end or not be told of.
-- KEYS: what the command is about
-- ARGV: the command
return redis.call(unpack(ARGV))
