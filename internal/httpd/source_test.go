package httpd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/httpd"
)

func from(peer string, forwarded ...string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	return r
}

func trusting(t testing.TB, list string) []netip.Prefix {
	t.Helper()
	ps, err := httpd.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func TestSourceBehindProxies(t *testing.T) {
	const inside = "10.0.0.0/8, fd00::/8, 192.0.2.7"
	for _, c := range []struct {
		name, trusted, peer string
		forwarded           []string
		want                string
	}{
		{"no proxy", "", "198.51.100.1:4000", nil, "198.51.100.1"},
		{"nobody is trusted by default", "", "10.0.0.1:4000", []string{"203.0.113.9"}, "10.0.0.1"},
		{"not even loopback", "", "127.0.0.1:4000", []string{"203.0.113.9"}, "127.0.0.1"},
		{"untrusted peer", inside, "198.51.100.1:4000", []string{"203.0.113.9"}, "198.51.100.1"},
		{"one hop", inside, "10.0.0.1:4000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a single trusted address", inside, "192.0.2.7:4000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"its neighbour is not", inside, "192.0.2.8:4000", []string{"203.0.113.9"}, "192.0.2.8"},
		{"the client lies on the left", inside, "10.0.0.1:4000", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"the client claims to be a proxy", inside, "10.0.0.1:4000", []string{"1.1.1.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"two hops", inside, "10.0.0.1:4000", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"three hops in three lines", inside, "10.0.0.1:4000", []string{"1.1.1.1, 203.0.113.9", "fd00::3", "10.0.0.2"}, "203.0.113.9"},
		{"only proxies", inside, "10.0.0.1:4000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"header missing", inside, "10.0.0.1:4000", nil, "10.0.0.1"},
		{"header empty", inside, "10.0.0.1:4000", []string{""}, "10.0.0.1"},
		{"garbage", inside, "10.0.0.1:4000", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"garbage behind a good hop", inside, "10.0.0.1:4000", []string{"203.0.113.9, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"empty entry", inside, "10.0.0.1:4000", []string{"203.0.113.9,,10.0.0.2"}, "10.0.0.2"},
		{"no room round the comma", inside, "10.0.0.1:4000", []string{"203.0.113.9,10.0.0.2"}, "203.0.113.9"},
		{"port", inside, "10.0.0.1:4000", []string{"203.0.113.9:5123"}, "203.0.113.9"},
		{"v6", inside, "10.0.0.1:4000", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{"v6 in brackets", inside, "10.0.0.1:4000", []string{"[2001:db8:1:2::6]"}, "2001:db8:1:2::/64"},
		{"v6 and port", inside, "10.0.0.1:4000", []string{"[2001:db8:1:2::6]:443"}, "2001:db8:1:2::/64"},
		{"v4 in brackets", inside, "10.0.0.1:4000", []string{"[203.0.113.9]"}, "10.0.0.1"},
		{"unbalanced", inside, "10.0.0.1:4000", []string{"[2001:db8::6"}, "10.0.0.1"},
		{"mapped client", inside, "10.0.0.1:4000", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"mapped peer", inside, "[::ffff:10.0.0.1]:4000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"mapped hop", inside, "10.0.0.1:4000", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		{"peer with a zone", "fe80::/10", "[fe80::1%eth0]:4000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"mapped range", "::ffff:10.0.0.0/104", "10.0.0.1:4000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"peer unreadable", inside, "@", []string{"203.0.113.9"}, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := httpd.SourceBehind(trusting(t, c.trusted), from(c.peer, c.forwarded...))
			if got.Reveal() != c.want {
				t.Errorf("source is %s, want %s", got.Reveal(), c.want)
			}
		})
	}
}

func TestSourceTellsApartWhatCostsMoney(t *testing.T) {
	of := func(s string) httpd.Source { return httpd.SourceOf(netip.MustParseAddr(s)) }
	if of("2001:db8::1") != of("2001:db8:0:0:ffff::1") {
		t.Error("two addresses of one /64 are two sources")
	}
	distinct := map[httpd.Source]string{}
	for _, s := range []string{"2001:db8::1", "2001:db8:0:1::1", "0.0.0.0", "1.2.3.4", "1.2.3.5", "::", "::1:0:0:0:0"} {
		if other, taken := distinct[of(s)]; taken {
			t.Errorf("%s and %s are one source", s, other)
		}
		distinct[of(s)] = s
	}
	if of("::ffff:1.2.3.4") != of("1.2.3.4") {
		t.Error("an IPv4-mapped address is not the IPv4 address")
	}
	if (httpd.Source{}) == of("0.0.0.0") || (httpd.Source{}) == of("::") {
		t.Error("the unknown source is somebody's")
	}
}

func TestSourceIsNotPrinted(t *testing.T) {
	s := httpd.SourceOf(netip.MustParseAddr("203.0.113.9"))
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t"} {
		fmt.Fprintf(&out, verb+" ", s)
		fmt.Fprintf(&out, verb+" ", []any{&s, struct{ S httpd.Source }{s}})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", slog.Any("a", s))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", slog.Any("a", s), slog.Any("b", map[httpd.Source]int{s: 1}))
	if err := json.NewEncoder(&out).Encode(map[httpd.Source]httpd.Source{s: s}); err != nil {
		t.Fatal(err)
	}
	// 203.0.113.9 as one number, in the bases fmt may print it in.
	for _, trace := range []string{"203.0", "3405803785", "cb007109", "CB007109", "31300070411"} {
		if strings.Contains(out.String(), trace) {
			t.Errorf("printing shows %s:\n%s", trace, out.String())
		}
	}
}

func TestParseProxies(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"", "[]"},
		{"  ", "[]"},
		{"10.0.0.0/8", "[10.0.0.0/8]"},
		{" 10.0.0.5 ,fd00::/8", "[10.0.0.5/32 fd00::/8]"},
		{"::1", "[::1/128]"},
		{"::ffff:10.0.0.5", "[10.0.0.5/32]"},
		{"::ffff:10.0.0.0/104", "[10.0.0.0/8]"},
	} {
		got, err := httpd.ParseProxies(c.list)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%q reads as %v, %v; want %s", c.list, got, err, c.want)
		}
	}
	for _, c := range []struct{ list, says string }{
		{"localhost", "expected an address such as"},
		{"10.0.0.0/33", "expected an address such as"},
		{"10.0.0.0/8,", `proxy "": expected an address`},
		{"10.0.0.0/8 10.1.0.1", "expected an address such as"},
		{"10.0.0.1:80", "expected an address such as"},
		{"10.1.2.3/8", "expected the range 10.0.0.0/8 or the address 10.1.2.3"},
		{"0.0.0.0/0", "every client"},
		{"10.0.0.1,::/0", `"::/0"`},
		{"::ffff:0:0/96", "every client"},
		{"fe80::1%eth0", "zone"},
	} {
		if ps, err := httpd.ParseProxies(c.list); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q reads as %v, %v; the error should say %q", c.list, ps, err, c.says)
		}
	}
}

// FuzzSource holds the two rules: an untrusted peer is the source whatever the header says, and
// behind k trusted hops the source is the address that the outermost of them saw, whatever stands left of it.
func FuzzSource(f *testing.F) {
	for _, s := range []string{"", "1.1.1.1", "1.1.1.1, 10.0.0.9", "a\nb,c", "[::1]:80", ",,,", "10.0.0.1:99999", "10.0.0.1,"} {
		f.Add(s, uint8(2), uint32(0xcb007109))
	}
	trusted := trusting(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, chosen string, hops uint8, n uint32) {
		client := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		if trusted[0].Contains(client) {
			return
		}
		lines := strings.Split(chosen, "\n")
		peer := netip.AddrPortFrom(client, 4000).String()
		if got := httpd.SourceBehind(trusted, from(peer, lines...)); got != httpd.SourceOf(client) {
			t.Errorf("an untrusted peer moved to %s", got.Reveal())
		}
		if hops%4 == 0 {
			lines[len(lines)-1] += ", " + client.String()
		} else {
			lines = append(lines, client.String())
		}
		for i := range hops % 4 {
			lines = append(lines, fmt.Sprintf("10.0.0.%d", i))
		}
		if got := httpd.SourceBehind(trusted, from("10.200.0.1:4000", lines...)); got != httpd.SourceOf(client) {
			t.Errorf("behind %d more hops the source is %s", hops%4, got.Reveal())
		}
	})
}
