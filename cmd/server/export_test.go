package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Run is main without the process around it.
var Run = run

// Setting is a line of the table of settings.
type Setting struct{ Flag, Env, Default, Help, Want string }

// Settings lists them.
func Settings() (all []Setting) {
	for _, s := range settings {
		all = append(all, Setting{s.flag, s.env(), s.value, s.help, s.want})
	}
	return all
}

// Configured says what came of the settings, by flag.
func Configured(args []string, getenv func(string) string) (map[string]string, error) {
	c, err := configure(args, getenv, io.Discard)
	if err != nil {
		return nil, err
	}
	public := ""
	if c.publicURL != nil {
		public = c.publicURL.String()
	}
	names := []string{}
	for hash, name := range c.apiKeys {
		names = append(names, fmt.Sprintf("%s %x", name, hash[:2]))
	}
	return map[string]string{
		"listen": c.listen, "data": c.data, "store": c.store, "redis-unsafe": fmt.Sprint(c.redisUnsafe), "server-key": hex.EncodeToString(c.serverKey), "public-url": public, "api-keys": strings.Join(names, " "),
		"limits": fmt.Sprint(limitsOf(c, nil) != nil), "strict": fmt.Sprint(c.strict), "max-payload": fmt.Sprint(c.maxPayload), "max-ttl": c.maxTTL.String(),
		"trusted-proxies": fmt.Sprint(c.proxies), "cors-origins": strings.Join(c.origins, " "),
		"log-format": c.logFormat, "log-level": c.logLevel.String(),
	}, nil
}
