package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Address documents the URLs that Open takes.
const Address = `redis://[user:password@]host[:port][/db]            one server; rediss:// with TLS
unix://[user:password@]/path/to/socket[?db=n]       one server on this machine
redis+sentinel://[user:password@]host,host/name[/db] the primary that the sentinels know by that name
redis+cluster://[user:password@]host,host,...       a cluster
With rediss+sentinel:// and rediss+cluster:// TLS is used. Parameters: wait (replicas that must have a change before it
counts), ca, cert and key (files in PEM), sentinel_user and sentinel_password.`

// address is what a URL says.
type address struct {
	hosts   []string
	master  string
	cluster bool
	db      int
	wait    int // -1: not said

	user, password                 string
	sentinelUser, sentinelPassword string
	tls                            *tls.Config
}

// CheckAddress says what is wrong with an address, without connecting and without repeating it.
func CheckAddress(s string) error {
	_, err := parse(s)
	return err
}

var errURL = errors.New("the address of Redis is not of a form that is known")

// parse reads a URL. Its errors repeat nothing of it: it holds a password.
func parse(s string) (*address, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return nil, errURL
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	// net/url takes one host only.
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	u, err := url.Parse("redis://" + strings.TrimSuffix(authority, hosts) + "host" + path)
	if err != nil || u.Fragment != "" { // a # that is part of a password must be escaped
		return nil, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the parameters in the address of Redis are not well formed")
	}
	a := &address{wait: -1, user: u.User.Username()}
	a.password, _ = u.User.Password()
	kind, encrypted := strings.CutPrefix(scheme, "rediss")
	if !encrypted {
		kind, ok = strings.CutPrefix(scheme, "redis")
	}
	switch {
	case scheme == "unix" && hosts == "" && u.Path != "":
		a.hosts = []string{u.Path}
		u.Path = ""
	case !ok || hosts == "":
		return nil, errURL
	default:
		err = a.readHosts(kind, hosts, u)
	}
	if err == nil {
		err = a.readPath(u)
	}
	if err == nil {
		err = a.readQuery(query, encrypted)
	}
	return a, err
}

func (a *address) readHosts(kind, hosts string, u *url.URL) error {
	port := "6379"
	switch kind {
	case "":
	case "+cluster":
		a.cluster = true
	case "+sentinel":
		port = "26379"
		a.master, u.Path, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		if a.master == "" {
			return errors.New("the address of Redis lacks the name that the sentinels know the primary by")
		}
	default:
		return errURL
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if !isHost(host) {
			return errURL
		}
		a.hosts = append(a.hosts, host)
	}
	if kind == "" && len(a.hosts) > 1 {
		return errors.New("several hosts are for redis+sentinel:// and redis+cluster://")
	}
	return nil
}

// isHost tells a host and a port from what somebody has mistyped.
func isHost(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("[]#@", r) }) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// readPath reads the number of the database.
func (a *address) readPath(u *url.URL) (err error) {
	db := strings.Trim(u.Path, "/")
	if db == "" {
		db = u.Query().Get("db")
	}
	if db == "" {
		return nil
	}
	if a.db, err = strconv.Atoi(db); err != nil || a.db < 0 || a.cluster && a.db > 0 {
		return errors.New("the number of the database in the address of Redis is not one, or not 0 for a cluster")
	}
	return nil
}

func (a *address) readQuery(q url.Values, encrypted bool) (err error) {
	for name := range q {
		switch value := q.Get(name); name {
		case "db":
		case "wait":
			if a.wait, err = strconv.Atoi(value); err != nil || a.wait < 0 || a.wait > 100 {
				return errors.New("wait in the address of Redis is not a number of replicas")
			}
		case "sentinel_user":
			a.sentinelUser = value
		case "sentinel_password":
			a.sentinelPassword = value
		case "ca", "cert", "key":
			if !encrypted {
				return errors.New("ca, cert and key in the address of Redis are for rediss://")
			}
		default:
			return errors.New("the address of Redis has a parameter that is not known")
		}
	}
	if encrypted {
		a.tls, err = secure(q.Get("ca"), q.Get("cert"), q.Get("key"))
	}
	return err
}

// secure gives the TLS settings: the system's authorities or those of a file, and perhaps a certificate of ours.
func secure(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca) //nolint:gosec // G304: the operator names it
		if err != nil {
			return nil, fmt.Errorf("reading the authorities for Redis: %w", withoutPath(err))
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of authorities for Redis holds no certificate in PEM")
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate for Redis: %w", withoutPath(err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// withoutPath keeps the name of a file out of an error.
func withoutPath(err error) error {
	if at := new(fs.PathError); errors.As(err, &at) {
		return at.Err
	}
	return err
}
