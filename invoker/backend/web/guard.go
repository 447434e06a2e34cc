package web

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Guard refuses connections to addresses that are not those of others on the internet: what a function names must not
// lead to this machine, to its neighbours, or to the metadata service of a cloud. It looks at the address to which a
// connection is just made, so a name that resolves to something else a moment later changes nothing.
//
// The lists are those of IANA (registries iana-ipv4-special-registry, iana-ipv6-special-registry).
type Guard struct {
	// Allow are addresses that may be reached all the same.
	Allow []netip.Prefix
	// Own returns the addresses of this machine; net.InterfaceAddrs if it is nil.
	Own func() ([]net.Addr, error)
}

// RefusedError is why an address is not connected to.
type RefusedError struct {
	Addr netip.Addr
	Why  string // "it is ..."
}

// Error says what to do, too.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the address %s is refused: it is %s; whoever runs the invoker can allow it by "+
		"polyvoke serve --http-allow-private", e.Addr, e.Why)
}

// special are the addresses that are refused, by why they are. NAT64 stands for an IPv4 address, which is looked at.
var special = []struct {
	why string
	of  []netip.Prefix
}{
	{"the address of a cloud's metadata service", prefixes("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32",
		"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128",
		"fd20:ce::254/128")},
	{"unspecified", prefixes("0.0.0.0/8", "::/128")},
	{"the machine's own", prefixes("127.0.0.0/8", "::1/128")},
	{"private", prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")},
	{"link-local", prefixes("169.254.0.0/16", "fe80::/10")},
	{"of a provider's network", prefixes("100.64.0.0/10")},
	{"for several at once", prefixes("224.0.0.0/4", "ff00::/8", "255.255.255.255/32")},
	{"that of a relay between IPv4 and IPv6", prefixes("192.88.99.0/24", "2001::/32", "2002::/16", "64:ff9b:1::/48")},
	{"reserved", prefixes("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "2001::/23", "2001:db8::/32", "3fff::/20")},
}

var (
	global = netip.MustParsePrefix("2000::/3")     // all unicast addresses of IPv6 that are given out
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // the last four bytes are an IPv4 address (RFC 6052)
)

// prefixes reads prefixes.
func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Check returns a *RefusedError if an address must not be connected to.
func (g *Guard) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if nat64.Contains(addr) {
		b := addr.As16()
		return g.Check(netip.AddrFrom4([4]byte(b[12:])))
	}
	if why := whyRefused(addr); why != "" {
		return &RefusedError{addr, why}
	}
	own := g.Own
	if own == nil {
		own = net.InterfaceAddrs
	}
	all, err := own()
	if err != nil {
		return &RefusedError{addr, "perhaps one of this machine, whose addresses are not known: " + err.Error()}
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(addr.AsSlice()) {
			return &RefusedError{addr, "the machine's own"}
		}
	}
	return nil
}

// whyRefused returns why an address is refused, or "".
func whyRefused(addr netip.Addr) string {
	for _, s := range special {
		for _, p := range s.of {
			if p.Contains(addr) {
				return s.why
			}
		}
	}
	if !addr.IsValid() || addr.Is6() && !global.Contains(addr) {
		return "no address of the internet"
	}
	return ""
}

// control is a net.Dialer's: it is called with the address of each connection before it is made.
func (g *Guard) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return &failure{fmt.Sprintf("a connection to %s by %s is refused", address, network), syscall.EACCES}
	}
	return g.Check(at.Addr())
}
