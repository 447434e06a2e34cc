package web

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	g := Guard{Own: func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(8, 8, 4, 4), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("2606:4700::7"), Mask: net.CIDRMask(64, 128)}}, nil
	}}
	for addr, why := range map[string]string{
		"1.1.1.1": "", "8.8.8.8": "", "8.8.4.5": "", "2606:4700::1111": "", "2001:4860:4860::8888": "", "2a00:1450::1": "",
		"64:ff9b::808:808": "", "::ffff:8.8.8.8": "", "172.15.0.1": "", "172.32.0.1": "", "100.63.255.255": "",
		"169.254.169.254": "the address of a cloud's metadata service", "fd00:ec2::254": "the address of a cloud's metadata service",
		"::ffff:169.254.169.254": "the address of a cloud's metadata service",
		"64:ff9b::a9fe:a9fe":     "the address of a cloud's metadata service",
		"100.100.100.200":        "the address of a cloud's metadata service",
		"168.63.129.16":          "the address of a cloud's metadata service",
		"8.8.4.4":                "the machine's own", "2606:4700::7": "the machine's own",
		"::ffff:8.8.4.4": "the machine's own", "64:ff9b::808:404": "the machine's own",
		"127.0.0.1": "the machine's own", "127.255.255.254": "the machine's own", "::1": "the machine's own",
		"::ffff:127.0.0.1": "the machine's own", "64:ff9b::7f00:1": "the machine's own",
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified", "::ffff:0.0.0.0": "unspecified",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private",
		"fd12::1": "private", "fec0::1": "private", "::ffff:10.0.0.1": "private", "64:ff9b::a00:1": "private",
		"169.254.1.1": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"100.64.0.1": "of a provider's network", "100.127.255.255": "of a provider's network",
		"224.0.0.1": "for several at once", "239.255.255.255": "for several at once", "ff02::1": "for several at once",
		"255.255.255.255": "for several at once",
		"2002:7f00:1::":   "that of a relay between IPv4 and IPv6", "2002:a00:1::1": "that of a relay between IPv4 and IPv6",
		"2001:0:4136:e378::": "that of a relay between IPv4 and IPv6", "64:ff9b:1::a00:1": "that of a relay between IPv4 and IPv6",
		"192.88.99.1": "that of a relay between IPv4 and IPv6",
		"192.0.0.8":   "reserved", "192.0.2.1": "reserved", "198.18.0.1": "reserved", "198.51.100.1": "reserved",
		"203.0.113.1": "reserved", "240.0.0.1": "reserved", "2001:db8::1": "reserved", "2001:10::1": "reserved",
		"3fff::1":     "reserved",
		"::127.0.0.1": "no address of the internet", "::7f00:1": "no address of the internet",
		"::ffff:0:7f00:1": "no address of the internet", "100::1": "no address of the internet",
		"4000::1": "no address of the internet", "5f00::1": "no address of the internet",
	} {
		var refused *RefusedError
		err := g.Check(netip.MustParseAddr(addr))
		if errors.As(err, &refused) != (why != "") || why != "" && refused.Why != why {
			t.Errorf("%s: %v, want %q", addr, err, why)
		}
	}
	if err := g.Check(netip.Addr{}); err == nil {
		t.Error("no address is one")
	}
	g.Allow = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for addr, ok := range map[string]bool{"10.1.2.3": true, "10.2.0.1": false, "::ffff:10.1.2.3": true, "fd12::1": true,
		"64:ff9b::a01:203": true, "fc00::1": false, "127.0.0.1": false, "fd00:ec2::254": true} {
		if err := g.Check(netip.MustParseAddr(addr)); (err == nil) != ok {
			t.Errorf("with some that are allowed, %s: %v", addr, err)
		}
	}
	g = Guard{Own: func() ([]net.Addr, error) { return nil, errors.New("nobody knows") }}
	if err := g.Check(netip.MustParseAddr("1.1.1.1")); err == nil {
		t.Error("an address is reached that may be the machine's own")
	}
	if err := new(Guard).control("udp4", "1.1.1.1:53", nil); err == nil {
		t.Error("it is no connection")
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all { // whatever they are
		ip, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if new(Guard).Check(ip) == nil {
			t.Errorf("%s is not refused", ip)
		}
	}
}

// FuzzGuard checks that an IPv4 address that is refused is refused in all of its forms.
func FuzzGuard(f *testing.F) {
	f.Add(uint32(0x7f000001))
	f.Add(uint32(0xa9fea9fe))
	f.Add(uint32(0x08080808))
	f.Fuzz(func(t *testing.T, n uint32) {
		g := Guard{Own: func() ([]net.Addr, error) { return nil, nil }}
		four := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		refused := g.Check(four) != nil
		b := netip.MustParseAddr("64:ff9b::").As16()
		copy(b[12:], four.AsSlice())
		if mapped := netip.AddrFrom16(four.As16()); (g.Check(mapped) != nil) != refused ||
			(g.Check(netip.AddrFrom16(b)) != nil) != refused {
			t.Errorf("%s is refused: %t, but not in another form", four, refused)
		}
		six := [16]byte{0x20, 0x02}
		copy(six[2:], four.AsSlice())
		if g.Check(netip.AddrFrom16(six)) == nil {
			t.Errorf("%s is reached by 6to4", four)
		}
		if refused != (four.IsLoopback() || four.IsPrivate() || four.IsMulticast() || !four.IsGlobalUnicast() ||
			four.IsUnspecified()) && !refused {
			t.Errorf("%s is not refused", four)
		}
	})
}
