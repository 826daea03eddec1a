package storetest

// lives are PROTOCOL 4 as it happens to secrets that live for an hour.
var lives = []life{
	{name: "read once", size: 256, script: `
		meta           => unknown
		status         => unknown
		ack ann        => unknown
		create         => created
		create         => same
		create other   => conflict
		meta           => waiting
		status         => waiting
		resolve        => id
		take           => unknown
		ack ann        => not opened
		open ann       => payload
		open ann       => payload
		create         => same
		meta           => leased
		open bob       => leased
		ack bob        => leased
		decline        => leased
		revoke         => was opened
		ack ann        => ok
		ack ann        => ok
		ack bob        => ended read
		open ann       => ended read
		open bob       => ended read
		decline        => ended read
		revoke         => was opened
		meta           => read
		status         => read
		create         => conflict
		wait 167h59m59s999ms
		ack ann        => ok
		open ann       => ended read
		status         => read
		resolve        => id
		create         => conflict
		wait 1ms
		ack ann        => unknown
		open ann       => unknown
		meta           => unknown
		status         => unknown
		sweep          =>
		create         => created
		open bob       => payload`},

	{name: "a lease ends without an ack", size: 100_000, script: `
		create         => created
		open ann       => payload
		wait 1m59s999ms
		open bob       => leased
		open ann       => payload
		wait 1ms
		open ann       => ended unconfirmed
		open bob       => ended unconfirmed
		ack ann        => ended unconfirmed
		decline        => ended unconfirmed
		revoke         => was opened
		meta           => unconfirmed
		status         => unconfirmed
		wait 167h59m59s999ms
		meta           => unconfirmed
		wait 1ms
		meta           => unknown`},

	{name: "a large payload is leased longer", size: 9 << 20, script: `
		create         => created
		open ann       => payload
		wait 2m23s999ms
		open ann       => payload
		wait 1ms
		open ann       => ended unconfirmed`},

	{name: "opened in time, read after its time", size: 256, script: `
		create         => created
		wait 59m59s999ms
		open ann       => payload
		wait 1m59s999ms
		open ann       => payload
		ack ann        => ok
		meta           => read`},

	{name: "declined", size: 256, script: `
		create         => created
		stranger decline => unknown
		decline        => ok
		decline        => ok
		open ann       => ended declined
		ack ann        => ended declined
		revoke         => ended declined
		meta           => declined
		status         => declined`},

	{name: "revoked", size: 100_000, script: `
		create         => created
		stranger revoke => unknown
		revoke         => ok
		revoke         => ok
		open ann       => ended revoked
		ack ann        => ended revoked
		decline        => ended revoked
		meta           => revoked
		status         => revoked
		wait 168h
		revoke         => unknown
		decline        => unknown`},

	{name: "expired", size: 256, script: `
		create         => created
		wait 59m59s999ms
		meta           => waiting
		wait 1ms
		meta           => expired
		status         => expired
		open ann       => ended expired
		ack ann        => ended expired
		decline        => ended expired
		revoke         => ended expired
		create         => conflict
		wait 167h59m59s999ms
		status         => expired
		wait 1ms
		status         => unknown`},

	{name: "nobody looked for weeks", size: 256, script: `
		create         => created
		wait 1000h
		open ann       => unknown
		meta           => unknown
		status         => unknown
		sweep          =>
		create         => created`},

	{name: "opened, and then nobody looked for weeks", size: 256, script: `
		create         => created
		open ann       => payload
		wait 1000h
		ack ann        => unknown
		sweep          =>
		create         => created`},

	{name: "a passphrase", size: 256, passphrase: true, script: `
		create         => created
		open ann       => passphrase required
		open ann wrong => wrong, 9 left
		open ann       => passphrase required
		stranger open ann wrong => unknown
		meta           => waiting tries 1
		open ann right => payload
		open ann       => payload
		open ann wrong => payload
		open bob right => leased
		open bob wrong => leased
		meta           => leased tries 1
		ack ann        => ok
		open bob wrong => ended read`},

	{name: "ten wrong passphrases", size: 100_000, passphrase: true, script: `
		create         => created
		open ann wrong => wrong, 9 left
		open bob wrong => wrong, 8 left
		open ann wrong => wrong, 7 left
		open ann wrong => wrong, 6 left
		open ann wrong => wrong, 5 left
		open ann wrong => wrong, 4 left
		open ann wrong => wrong, 3 left
		open ann wrong => wrong, 2 left
		open ann wrong => wrong, 1 left
		meta           => waiting tries 9
		open ann wrong => wrong, 0 left
		meta           => locked tries 10
		open ann right => ended locked
		ack ann        => ended locked
		decline        => ended locked
		revoke         => ended locked
		status         => locked
		create         => conflict
		wait 168h
		open ann right => unknown`},

	{name: "nine wrong passphrases", size: 256, passphrase: true, script: `
		create         => created
		open ann 1     => wrong, 9 left
		open ann 2     => wrong, 8 left
		open ann 3     => wrong, 7 left
		open ann 4     => wrong, 6 left
		open ann 5     => wrong, 5 left
		open ann 6     => wrong, 4 left
		open ann 7     => wrong, 3 left
		open ann 8     => wrong, 2 left
		open ann 9     => wrong, 1 left
		open ann right => payload`},

	{name: "strangers", size: 256, script: `
		create         => created
		stranger open eve => unknown
		stranger open eve => unknown
		stranger meta  => unknown
		stranger status => unknown
		stranger ack eve => unknown
		stranger decline => unknown
		stranger revoke => unknown
		status         => waiting refused 2
		sweep          =>
		status         => waiting refused 2
		open ann       => payload
		stranger open ann => unknown
		ack ann        => ok
		stranger open ann => unknown
		stranger meta  => unknown
		status         => read refused 4
		sweep          =>
		status         => read refused 4`},

	{name: "only-once-share", size: 256, unguarded: true, script: `
		create         => created
		create         => same
		open ann       => unknown
		meta           => unknown
		decline        => unknown
		ack ann        => unknown
		resolve        => id
		take           => payload
		take           => unknown
		create         => conflict
		status         => read refused 1
		revoke         => was opened`},

	{name: "only-once-share, too late", size: 256, unguarded: true, script: `
		create         => created
		wait 1h
		take           => unknown
		status         => expired`},

	{name: "only-once-share, revoked", size: 256, unguarded: true, script: `
		create         => created
		revoke         => ok
		take           => unknown`},
}
