-- What API keys are told of their secrets, until they acknowledge it. Numbers are never used again: an ack
-- that comes twice must not hit another event.
CREATE TABLE events (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	creator TEXT    NOT NULL,           -- name of the API key
	at      INTEGER NOT NULL,           -- Unix milliseconds
	hidden  INTEGER NOT NULL DEFAULT 0, -- until when it is with a poller
	type    TEXT    NOT NULL,
	secret  BLOB    NOT NULL,           -- its id
	context BLOB
) STRICT;

CREATE INDEX events_creator ON events (creator, seq);
