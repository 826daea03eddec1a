-- Which kept secrets stand in which list, as vault.Listed says of their records. Who is in no list has no row here.
--
-- The key is the order in which lists are read: a page is a walk back from the end of its list's stretch, and needs
-- no sorting; the whole stretch is what a count goes through. `until` is not in the key, because it would come between
-- a list and its order, but in the same tree (WITHOUT ROWID): neither a count nor the rows that a page skips ever
-- touch `secrets`, whose rows lie scattered and are five times as long.
CREATE TABLE lists (
	list    BLOB    NOT NULL, -- 32 bytes
	created INTEGER NOT NULL, -- Unix milliseconds
	seq     INTEGER NOT NULL, -- secrets.seq
	until   INTEGER NOT NULL, -- when time alone ends it, swept or not
	PRIMARY KEY (list, created, seq)
) STRICT, WITHOUT ROWID;
