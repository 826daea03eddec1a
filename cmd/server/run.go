package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/vault"
)

// gcPercent trades a few MiB for a twentieth of the processor's time: what lives between two collections is small
// here, so Go's default would collect dozens of times a second.
const gcPercent = 400

// version is set by the release build.
var version = ""

// Exit codes.
const (
	exitFailed  = 1
	exitMisused = 2
)

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	logged := &lines{w: stderr}
	defer func() { _ = logged.Flush() }()
	c, err := configure(args, getenv, logged)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return 0
	case errors.Is(err, errVersion):
		_, _ = fmt.Fprintln(stdout, "hushpost server", buildVersion())
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "server: %v\nserver: see --help\n", err)
		return exitMisused
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	serve := serve
	if c.loadScripts {
		serve = loadScripts
	}
	if err := serve(ctx, c); err != nil {
		c.log.Error("stopped", slog.Any("err", err))
		return exitFailed
	}
	return 0
}

// Bounds against slow and greedy clients. The time for a body and for an answer is httpd's, which rolls it along
// with the bytes.
const (
	headerTime     = 5 * time.Second
	idleTime       = 60 * time.Second
	headerBytes    = 16 << 10 // our own requests need a tenth of it
	maxConns       = 4096     // about 40 KiB of memory each
	maxSourceConns = 256      // an office behind one address
	drainTime      = 15 * time.Second
)

// serve runs until ctx ends, then lets what is under way finish.
func serve(ctx context.Context, c *config) (err error) {
	store, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	v := vault.New(store, vault.Options{Key: store.Key(), MaxTTL: c.maxTTL, Strict: c.strict})
	handler, err := httpd.New(httpd.Options{
		Vault: v, Log: c.log, APIKeys: c.apiKeys, Limits: limitsOf(c, store), Proxies: c.proxies, Origins: c.origins,
		MaxPayload: c.maxPayload, PublicURL: c.publicURL, Version: buildVersion(),
	})
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ErrorLog: log.New(io.Discard, "", 0), // it prints addresses and headers of clients

		DisableGeneralOptionsHandler: true, // net/http's answer to OPTIONS * has none of our headers
	}
	server.RegisterOnShutdown(v.Hurry)
	house, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { v.Run(house, c.log) })
	defer running.Wait()
	defer stop()
	return serveUntil(ctx, server, listener, c)
}

func serveUntil(ctx context.Context, server *http.Server, listener net.Listener, c *config) error {
	c.log.Info("listening", slog.String("address", listener.Addr().String()), slog.String("version", buildVersion()))
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(capConnections(listener, maxConns, maxSourceConns, c.proxies)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	c.log.Info("draining")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		c.log.Warn("some requests did not finish in time")
		return server.Close()
	}
	return nil
}

func limitsOf(c *config, store storage) *httpd.Limits {
	if !c.limits {
		return nil
	}
	l := httpd.NewLimits(time.Now, httpd.DefaultBudgets)
	if shared, ok := store.(*redis.Store); ok {
		l.Share(ledger{shared}, store.Key())
	}
	return l
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
