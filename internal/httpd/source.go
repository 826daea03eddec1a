package httpd

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Source says who asks, as finely as limits may tell people apart: one IPv4 address, or one
// IPv6 /64, which is the least that anybody is given and inside which addresses cost nothing.
// It is comparable and holds no pointer, so a large map of sources costs the garbage collector
// nothing. The zero Source stands for everybody whose address cannot be read; they share a limit.
//
// Addresses of people do not belong in logs: every print verb shows "source(...)".
type Source struct {
	net  uint64 // an IPv4 address, or the first half of an IPv6 address
	bits uint8  // of the prefix: 32, 64, wideBits; 0 in the zero Source
}

// wideBits is the ceiling above /64: providers hand out whole /48s (65 536 sources) to one customer.
const wideBits = 48

// SourceOf gives the source an address belongs to. An IPv4-mapped IPv6 address is the IPv4 address,
// otherwise a dual-stack listener would put all of IPv4 into the one /64 ::ffff:0:0.
func SourceOf(a netip.Addr) Source {
	a = a.Unmap()
	switch {
	case a.Is4():
		b := a.As4()
		return Source{uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]), 32}
	case a.Is6():
		b := a.As16()
		var n uint64
		for _, x := range b[:8] {
			n = n<<8 | uint64(x)
		}
		return Source{n, 64}
	}
	return Source{}
}

// wide gives the /48 around an IPv6 source.
func (s Source) wide() (Source, bool) {
	if s.bits != 64 {
		return Source{}, false
	}
	return Source{s.net >> (64 - wideBits) << (64 - wideBits), wideBits}, true
}

// Reveal gives the address range in clear, for an operator who asked for it.
func (s Source) Reveal() string {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(s.net >> (56 - 8*i)) //nolint:gosec // G115: taking the byte is the point
	}
	switch s.bits {
	case 0:
		return "unknown"
	case 32:
		return netip.AddrFrom4([4]byte(b[4:8])).String()
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), int(s.bits)).String()
}

const redactedSource = "source(...)"

// Format implements [fmt.Formatter] for every verb.
func (Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedSource) }

// LogValue implements [slog.LogValuer].
func (Source) LogValue() slog.Value { return slog.StringValue(redactedSource) }

// MarshalText implements [encoding.TextMarshaler], for JSON.
func (Source) MarshalText() ([]byte, error) { return []byte(redactedSource), nil }

// proxies are the peers whose X-Forwarded-For is believed. Empty, the default, believes nobody.
type proxies []netip.Prefix

// ParseProxies reads the list of trusted proxies: CIDR ranges and single addresses, separated by
// commas. The empty list trusts nobody.
func ParseProxies(list string) ([]netip.Prefix, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var ps []netip.Prefix
	for entry := range strings.SplitSeq(list, ",") {
		p, err := parseProxy(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("reading trusted proxy %q: %w", strings.TrimSpace(entry), err)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func parseProxy(entry string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(entry); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, errors.New("leave out the zone after %")
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, errors.New("expected an address such as 10.0.0.5 or a range such as 10.0.0.0/8 or fd00::/8")
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	switch {
	case p.Bits() == 0:
		// Trusting everyone means that each client chooses the address it is limited by.
		return netip.Prefix{}, errors.New("a range of all addresses would let every client choose its own; expected your proxies only")
	case p != p.Masked():
		// A slip here trusts too many: 10.1.2.3/8 could be meant as either.
		return netip.Prefix{}, fmt.Errorf("expected the range %v or the address %v", p.Masked(), p.Addr())
	}
	return p, nil
}

func (ps proxies) trust(a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// source says who sent r. Each proxy appends the address it saw to X-Forwarded-For, so the header is
// true only from the right and only as far as trusted proxies wrote it: the walk starts at the peer and
// goes left while the address in hand is a trusted proxy's. What stands left of the first untrusted
// address was chosen by the client (the left-most value is anybody's). An entry that is no
// address ends the walk at the last good one: such clients share a limit rather than escape it.
func (ps proxies) source(r *http.Request) Source {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return Source{}
	}
	at := plain(peer.Addr())
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		// Cut from the right, so that a long header costs only as much as its trusted part.
		for rest, more := line, true; more; {
			if !ps.trust(at) {
				return SourceOf(at)
			}
			entry := rest
			cut := strings.LastIndexByte(rest, ',')
			if more = cut >= 0; more {
				rest, entry = rest[:cut], rest[cut+1:]
			}
			next, ok := parseHop(strings.Trim(entry, " \t"))
			if !ok {
				return SourceOf(at)
			}
			at = next
		}
	}
	return SourceOf(at)
}

// parseHop reads an entry of X-Forwarded-For. The header has no standard; seen in the wild are an
// address, address:port (Azure), [v6] and [v6]:port.
func parseHop(entry string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(entry); err == nil {
		return plain(a), true
	}
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return plain(ap.Addr()), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if a, err := netip.ParseAddr(inner); err == nil && a.Is6() {
				return plain(a), true
			}
		}
	}
	return netip.Addr{}, false
}

// plain takes off what would make two spellings of one address compare unequal.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
