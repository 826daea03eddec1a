package storetest

import "time"

const month = 30 * 24 * time.Hour

// keptLives are PROTOCOL 5 as it happens to kept secrets.
var keptLives = []keptLife{
	{name: "claimed once", ttl: month, script: `
		read eve.       => unknown
		claim eve.      => unknown
		delete ann.     => unknown
		pending ann.    => end
		keep ann.       => message 1
		read eve.       => by ann.
		read eve.       => by ann.
		read ann.       => by ann.
		pending ann.    => draft, end
		owned ann.      => end
		pending bob.    => end
		claim bob.      => ok
		claim bob.      => owned
		claim eve.      => owned
		claim ann.      => owned
		read bob.       => by bob., own
		read bob.       => by bob., own
		read ann.       => not owner
		read eve.       => not owner
		pending ann.    => end
		owned bob.      => draft, end
		pending bob.    => end
		owned eve.      => end
		wait 719h59m59s999ms
		read bob.       => by bob., own
		owned bob.      => draft, end
		wait 1ms
		read bob.       => ended expired
		owned bob.      => end
		wait 168h
		read bob.       => unknown`},

	{name: "guarded by a claim token", ttl: month, guarded: true, script: `
		keep ann        => message 1
		read eve        => by ann
		claim eve       => owned
		claim eve guess => owned
		claim ann       => owned
		read eve        => by ann
		pending ann     => draft, end
		copies          => 0
		claim bob token => ok
		claim eve token => owned
		read bob        => by bob, own
		read eve        => not owner
		undo ann        => unknown
		copies          => 0
		delete bob      => ok
		read bob        => unknown`},

	{name: "a strict server", ttl: month, strict: true, script: `
		keep ann.       => message 1
		claim bob.      => owned
		claim bob. token => owned
		claim bob       => owned
		read eve.       => by ann.
		pending ann.    => draft, end
		copies          => 0
		delete ann.     => ok
		read eve.       => unknown`},

	{name: "a strict server, and a claim token", ttl: month, strict: true, guarded: true, script: `
		keep ann        => message 1
		claim bob       => owned
		claim bob guess => owned
		claim bob token => ok
		read bob        => by bob, own`},

	{name: "deleted by its author", ttl: month, script: `
		keep ann.       => message 1
		delete eve.     => unknown
		delete bob      => unknown
		read eve.       => by ann.
		delete ann.     => ok
		delete ann.     => unknown
		read ann.       => unknown
		claim bob.      => unknown
		undo ann.       => unknown
		pending ann.    => end
		wait 168h
		read ann.       => unknown`},

	{name: "deleted by its owner", ttl: month, script: `
		keep ann        => message 1
		name ann early  => unknown
		claim bob       => ok
		copies          => 1
		delete ann      => unknown
		delete eve      => unknown
		name ann mine   => unknown
		name eve mine   => unknown
		owned bob       => draft, end
		name bob mine   => ok
		owned bob       => mine, end
		name bob <b>"my/own"</b> => ok
		owned bob       => myown, end
		delete bob      => ok
		copies          => 0
		read bob        => unknown
		name bob mine   => unknown
		delete bob      => unknown
		undo ann        => unknown
		owned bob       => end
		pending ann     => end
		wait 168h
		undo ann        => unknown`},

	{name: "never expires", ttl: 0, script: `
		keep ann.       => message 1
		wait 100000h
		read eve.       => by ann.
		pending ann.    => draft, end
		claim bob.      => ok
		copies          => 1
		wait 100000h
		read bob.       => by bob., own
		read ann.       => not owner
		owned bob.      => draft, end
		sweep           =>
		copies          => 0
		delete bob.     => ok
		read bob.       => unknown`},

	{name: "expired", ttl: month, script: `
		keep ann.       => message 1
		wait 719h59m59s999ms
		read eve.       => by ann.
		pending ann.    => draft, end
		wait 1ms
		read eve.       => ended expired
		claim bob.      => ended expired
		delete ann.     => ended expired
		undo ann        => ended expired
		pending ann.    => end
		wait 167h59m59s999ms
		read eve.       => ended expired
		wait 1ms
		read eve.       => unknown
		claim bob.      => unknown`},

	{name: "a claim is undone", ttl: month, script: `
		keep ann        => message 1
		undo ann        => unknown
		claim eve       => ok
		undo eve        => unknown
		undo bob        => unknown
		read ann        => not owner
		name eve mine   => ok
		owned eve       => mine, end
		copies          => 1
		undo ann        => ok
		undo ann        => unknown
		copies          => 0
		read ann        => by ann
		read eve        => by ann
		owned eve       => end
		pending ann     => draft, end
		delete eve      => unknown
		claim bob 0     => owned
		claim bob 1     => owned
		claim bob 2     => ok
		read bob        => by bob, own
		read eve        => not owner
		undo ann        => ok
		read bob        => by ann
		claim bob       => ok
		owned bob       => draft, end
		delete bob      => ok
		undo ann        => unknown
		read ann        => unknown`},

	{name: "undone within a day", ttl: month, script: `
		keep ann        => message 1
		wait 100h
		claim eve       => ok
		wait 23h59m59s999ms
		copies          => 1
		undo ann        => ok
		read bob        => by ann
		claim eve       => ok
		wait 23h59m59s999ms
		undo ann        => ok
		read bob        => by ann`},

	{name: "undone too late", ttl: month, script: `
		keep ann        => message 1
		claim bob       => ok
		wait 24h
		undo ann        => unknown
		read bob        => by bob, own
		read ann        => not owner
		sweep           =>
		copies          => 0
		wait 200h
		undo ann        => unknown`},

	{name: "undone by nobody whose UID can be guessed", ttl: month, script: `
		keep ann.       => message 1
		claim bob.      => ok
		undo ann.       => unknown
		undo bob.       => unknown
		read bob.       => by bob., own
		copies          => 1`},

	{name: "claimed in its last hour", ttl: month, script: `
		keep ann        => message 1
		wait 719h
		claim bob       => ok
		wait 59m59s999ms
		undo ann        => ok
		read eve        => by ann
		claim bob       => ok
		wait 1ms
		undo ann        => ended expired
		sweep           =>
		copies          => 0`},

	{name: "claimed as it was read", ttl: month, script: `
		keep ann        => message 1
		claim bob 1     => owned
		copies          => 0
		read eve        => by ann
		claim bob 0     => ok
		claim eve 1     => owned
		read bob        => by bob, own`},

	{name: "asked for again", ttl: month, key: true, script: `
		keep ann        => message 1
		keep ann        => message 1
		keep ann other  => reused
		keep bob        => message 2
		pending ann     => draft, end
		pending bob     => draft, end
		wait 23h59m59s999ms
		keep ann        => message 1
		keep ann other  => reused
		wait 1ms
		keep ann other  => message 3
		keep ann other  => message 3
		keep ann        => reused
		pending ann     => draft, draft, end`},

	{name: "asked for again after a day", ttl: month, key: true, script: `
		keep ann        => message 1
		wait 24h
		keep ann        => message 2
		read eve        => by ann
		pending ann     => draft, draft, end
		wait 24h
		keep ann        => message 3`},

	{name: "asked for again after it was claimed", ttl: month, key: true, script: `
		keep ann        => message 1
		claim bob       => ok
		keep ann        => message 1
		keep ann other  => reused
		read bob        => by bob, own
		name bob mine   => ok
		undo ann        => ok
		keep ann        => message 1
		read eve        => by ann
		pending ann     => draft, end
		claim bob       => ok
		name bob mine   => ok
		keep ann        => message 1
		delete bob      => ok
		keep ann        => message 1
		read bob        => unknown
		pending ann     => end`},

	{name: "asked for again after it was deleted", ttl: month, key: true, script: `
		keep ann        => message 1
		delete ann      => ok
		keep ann        => message 1
		keep ann other  => reused
		read ann        => unknown
		pending ann     => end
		wait 24h
		keep ann        => message 2
		read ann        => by ann`},

	{name: "asked for again after it expired", ttl: time.Hour, key: true, script: `
		keep ann        => message 1
		wait 1h
		keep ann        => message 1
		read ann        => ended expired`},
	{name: "a claim that was begun long before", ttl: month, script: `
		keep ann        => message 1
		abort eve       => trouble
		wait 24h
		claim eve       => ok
		read ann        => not owner
		undo ann        => ok
		read ann        => by ann`},

	{name: "a claim that was begun a day before", ttl: month, script: `
		keep ann        => message 1
		abort eve       => trouble
		wait 23h59m59s
		claim eve       => ok
		wait 23h
		undo ann        => ok
		read ann        => by ann`},

	{name: "deleted after a claim was begun", ttl: month, script: `
		keep ann        => message 1
		abort eve       => trouble
		delete ann      => ok
		copies          => 0
		read ann        => unknown`},
}
