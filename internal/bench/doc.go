// Package bench measures the server as a whole: the real program, over loopback, against floors that do as many
// durable steps and nothing else. It holds benchmarks only, nothing that ships.
//
//	make bench
//
// The floors are programs of their own, as the server is, and take turns with it in one run, because machines
// drift: compare the ratios, not the absolute figures.
package bench
