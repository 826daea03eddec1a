package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// authority is a certificate authority of the test's own.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// path gives a file of what was issued under a name.
func (a *authority) path(name, kind string) string { return filepath.Join(a.dir, name+"."+kind) }

// issue signs a certificate, the first one by itself, and writes it and its key into files.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer, by := c, key
	if a.cert != nil {
		signer, by = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(a.path(name, "crt"), "CERTIFICATE", der)
	a.write(a.path(name, "key"), "PRIVATE KEY", raw)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(path, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// startTLS starts a Redis that also listens for TLS.
func startTLS(t *testing.T, ca *authority, clients string) (s *redisserver.Server, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return redisserver.Start(
		t, "--tls-port", port, "--tls-cert-file", ca.path("server", "crt"), "--tls-key-file", ca.path("server", "key"),
		"--tls-ca-cert-file", ca.path("ca", "crt"), "--tls-auth-clients", clients,
	), "127.0.0.1:" + port
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "ca")
	ca.issue("server", &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"redis.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	_, open := startTLS(t, ca, "no")
	_, strict := startTLS(t, ca, "yes")
	mine := "ca=" + ca.path("ca", "crt")
	for name, test := range map[string]struct {
		url, want string // "" is good
	}{
		"our authority":        {"rediss://" + open + "?" + mine, ""},
		"the system's":         {"rediss://" + open, "certificate"},
		"another":              {"rediss://" + open + "?ca=" + other.path("ca", "crt"), "certificate"},
		"another name":         {"rediss://localhost:" + open[len("127.0.0.1:"):] + "?" + mine, "certificate"},
		"a certificate":        {"rediss://" + strict + "?" + mine + "&cert=" + ca.path("client", "crt") + "&key=" + ca.path("client", "key"), ""},
		"no certificate":       {"rediss://" + strict + "?" + mine, "certificate"},
		"the certificate only": {"rediss://" + strict + "?" + mine + "&cert=" + ca.path("client", "crt"), "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			s, err := redis.Open(t.Context(), redis.Options{URL: test.url})
			if took := time.Since(start); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || took > 5*time.Second {
				t.Fatalf("after %v: %v, want %q", took, err, test.want)
			}
			if err != nil {
				return
			}
			d := draft(t, "", time.Hour)
			put(t, s, d, noise(100_000))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
