-- One row a secret, from its creation to the end of its tombstone. `record` is vault.Secret's stored form;
-- `alias` repeats what it must be found by. There is no index of what is due when: agenda.go says why.
CREATE TABLE secrets (
	seq    INTEGER PRIMARY KEY,
	alias  INTEGER NOT NULL UNIQUE,
	record BLOB NOT NULL
) STRICT;

-- Payloads stand apart, so that no change of a record rewrites one. Not WITHOUT ROWID: that is slower from
-- 16 KiB on. Exactly one of data and file is set.
CREATE TABLE payloads (
	secret INTEGER PRIMARY KEY, -- secrets.seq
	data   BLOB,
	file   BLOB                 -- name[16] || key[32] of a file in the folder payloads/
) STRICT;
