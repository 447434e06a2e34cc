package frontdoor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// How proxies say for whom they speak. One way is believed only: what a proxy does not write itself it passes on, as
// any client has sent it.
const (
	ProxyXForwarded = "x-forwarded" // X-Forwarded-For, -Proto and -Host
	ProxyForwarded  = "forwarded"   // Forwarded (RFC 7239)
)

// ProxyHeaders are the ways, as a setting names them.
func ProxyHeaders() []string { return []string{ProxyXForwarded, ProxyForwarded} }

// maxHops is how many entries of a forwarding header are read, from the last.
const maxHops = 32

// Trust says who may speak for others.
type Trust struct {
	// Proxies are the addresses of proxies in front. What others say about whom they speak for is removed.
	Proxies []netip.Prefix
	// Header is how they say it, one of ProxyHeaders. Empty means ProxyXForwarded.
	Header string
}

// check refuses a way that is none.
func (t Trust) check() error {
	switch t.Header {
	case "", ProxyXForwarded, ProxyForwarded:
		return nil
	}
	return &Setting{"proxy-header", fmt.Errorf("%q: use %s", t.Header, strings.Join(ProxyHeaders(), " or "))}
}

// ParsePrefixes reads addresses and ranges of them, such as 10.0.0.0/8 and ::1.
func ParsePrefixes(words []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			a, one := netip.ParseAddr(w)
			if one != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", w)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q has bits behind its length: write %s", w, p.Masked())
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an address of IPv4 in the form of IPv6: write it as IPv4", w)
		}
		all = append(all, p)
	}
	return all, nil
}

// contains reports whether one of the ranges has an address.
func contains(all []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// proxy reports whether an address is that of a trusted proxy.
func (t Trust) proxy(a netip.Addr) bool { return contains(t.Proxies, a) }

// hopKey is the key of the hop in a request's context.
type hopKey struct{}

// hop is what is known of a request's last connection, when its headers have been made those of the client's.
type hop struct {
	peer    netip.Addr // the other end of the connection
	trusted bool       // it is a trusted proxy's
	told    bool       // the request came with words about for whom the peer speaks, though nobody trusts it
}

// wrap gives a handler requests as if the client had connected itself: with its address in RemoteAddr, the host that it
// asked for in Host, and without TLS or with it in TLS. What is not to be believed is removed.
func (t Trust) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := hop{peer: peerOf(r)}
		if h.trusted = t.proxy(h.peer); h.trusted {
			if err := t.believe(r, h.peer); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		} else {
			h.told = removeForwarded(r.Header, "")
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), hopKey{}, h)))
	})
}

// Peer returns the address of a request's client, and whether a trusted proxy has sent it, so that its headers
// Forwarded or X-Forwarded-* count. It is gateway.Config's Peer, for requests of a Server.
func Peer(r *http.Request) (address string, proxy bool) {
	h, _ := r.Context().Value(hopKey{}).(hop)
	return peerOf(r).String(), h.trusted
}

// peerOf returns the address of the other end.
func peerOf(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

// removeForwarded removes what a request says about for whom it is sent, but for names that begin with keep, and
// reports whether there was anything.
func removeForwarded(h http.Header, keep string) (some bool) {
	for name := range h {
		seen := strings.ToLower(strings.ReplaceAll(name, "_", "-")) // as CGI has it
		if !strings.HasPrefix(seen, "x-forwarded-") && seen != "forwarded" && seen != "x-real-ip" {
			continue
		}
		some = true
		if keep == "" || !strings.HasPrefix(name, keep) {
			delete(h, name)
		}
	}
	return some
}

// said is what proxies say of a request.
type said struct {
	chain       []string // addresses, the client's first
	proto, host string
}

// believe makes a request its client's, by what a trusted proxy says. The error is for the client.
func (t Trust) believe(r *http.Request, peer netip.Addr) error {
	read, keep := readXForwarded, "X-Forwarded-"
	if t.Header == ProxyForwarded {
		read, keep = readForwarded, "Forwarded"
	}
	s, err := read(r.Header)
	if err != nil {
		return fmt.Errorf("the proxy's headers cannot be read: %w", err)
	}
	removeForwarded(r.Header, keep)
	client := peer
	for i := len(s.chain) - 1; i >= 0 && len(s.chain)-i <= maxHops; i-- {
		a, ok := parseHop(s.chain[i])
		if !ok {
			break // whoever wrote that hides it; the one who passed it on is what is known
		}
		client = a
		if !t.proxy(a) {
			break
		}
	}
	if client != peer {
		r.RemoteAddr = net.JoinHostPort(client.String(), "0")
	}
	switch s.proto {
	case "http":
		r.TLS = nil
	case "https":
		r.TLS = cmp.Or(r.TLS, new(tls.ConnectionState))
	case "":
	default:
		return errors.New("the proxy's headers cannot be read: the scheme is neither http nor https")
	}
	if s.host != "" {
		if !validHost(s.host) {
			return errors.New("the proxy's headers cannot be read: the host is not a host")
		}
		r.Host = s.host
	}
	return nil
}

// parseHop reads an address, with a port or without one.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

// validHost reports whether a text can be a host with or without a port.
func validHost(s string) bool {
	if len(s) > 255+6 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		ok := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._:[]", r)
		return !ok
	})
}

// readXForwarded reads X-Forwarded-For, -Proto and -Host. Of several schemes and hosts the last counts, which is that
// of the nearest proxy.
func readXForwarded(h http.Header) (said, error) {
	var s said
	if all := strings.Join(h.Values("X-Forwarded-For"), ","); all != "" {
		s.chain = strings.Split(all, ",")
	}
	s.proto = strings.ToLower(lastWord(h.Values("X-Forwarded-Proto")))
	s.host = lastWord(h.Values("X-Forwarded-Host"))
	return s, nil
}

// lastWord returns the last entry of a list that may be spread over several headers.
func lastWord(values []string) string {
	all := strings.Join(values, ",")
	return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
}

// readForwarded reads Forwarded (RFC 7239, section 4).
func readForwarded(h http.Header) (said, error) {
	var s said
	rest := strings.Join(h.Values("Forwarded"), ",")
	hopFor, some := "", false
	for rest = strings.TrimSpace(rest); rest != ""; {
		name, value, left, err := forwardedPair(rest)
		if err != nil {
			return said{}, err
		}
		switch strings.ToLower(name) {
		case "for":
			hopFor = value
		case "proto":
			s.proto = strings.ToLower(value)
		case "host":
			s.host = value
		}
		some = true
		left = strings.TrimSpace(left)
		switch {
		case left == "" || left[0] == ',':
			s.chain, hopFor, some = append(s.chain, hopFor), "", false
		case left[0] != ';':
			return said{}, errors.New("neither ; nor , stands between two parts of Forwarded")
		}
		rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(left, ","), ";"))
	}
	if some {
		s.chain = append(s.chain, hopFor)
	}
	return s, nil
}

// forwardedPair reads NAME=VALUE, where a value may be a quoted string, and returns what is behind it.
func forwardedPair(s string) (name, value, rest string, err error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || strings.ContainsAny(name, " ,;\"") {
		return "", "", "", errors.New("a part of Forwarded is not NAME=VALUE")
	}
	if !strings.HasPrefix(rest, `"`) {
		end := strings.IndexAny(rest, ",; \t")
		if end < 0 {
			end = len(rest)
		}
		return name, rest[:end], rest[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return name, b.String(), rest[i+1:], nil
		case '\\':
			if i++; i == len(rest) {
				continue
			}
		}
		b.WriteByte(rest[i])
	}
	return "", "", "", errors.New("a quotation mark of Forwarded is not closed")
}
