package protocol

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// wildcard is what stands in front of a host for all names below it.
const wildcard = "*."

// MaxHTTPTarget is the length of the longest target of a grant of HTTP, in bytes.
const MaxHTTPTarget = 1024

// HTTPTarget is what a grant of HTTP lets a function ask: the requests to one origin whose path begins with Path.
type HTTPTarget struct {
	Scheme string // "https" or "http"
	Host   string // a name in lower case, "*." and a name, or an address; an IPv6 one without brackets
	Port   int    // 1 to 65535
	Path   string // "/", or a path without a slash at its end: it and all below it
}

// ParseHTTPTarget reads [http://|https://]HOST[:PORT][/PATH...], as Grant.HTTP has it. Without a scheme it is https.
// HOST may be "*." and a name: that is all names below it, and not itself. It takes only what means the same to
// everybody who reads it: no user, query, fragment or escape, no other wildcard, no "." and "..", and no number that
// some take for an address, such as 127.1 or 0x7f000001. The error's code is 422.
func ParseHTTPTarget(s string) (HTTPTarget, error) {
	t := HTTPTarget{Scheme: "https", Port: 443}
	refuse := func(format string, a ...any) (HTTPTarget, error) {
		return HTTPTarget{}, Errorf(CodeRefused, "", "http = %.80q "+format, append([]any{s}, a...)...)
	}
	if len(s) > MaxHTTPTarget {
		return refuse("has %d bytes; at most %d", len(s), MaxHTTPTarget)
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); ok {
			t.Scheme, t.Port = "http", 80
		}
	}
	host, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	switch {
	case strings.Contains(rest, "://"):
		return refuse("has a scheme that is neither https:// nor http://: write one of these, or none for https")
	case strings.ContainsFunc(strings.TrimPrefix(rest, wildcard), func(r rune) bool { return !nameRune(r) && !strings.ContainsRune(".~!$&'()+,;=:@/[]", r) }):
		return refuse("has a character that no target has: write a host and a path, such as api.example.com/v1")
	case strings.Contains(host, "@"):
		return refuse("has a user in front of its host: grant a secret, and send it in a header")
	}
	host, port, err := splitPort(host, t.Port)
	if err != nil {
		return refuse("%w", err)
	}
	if t.Host, err = targetHosts(host); err != nil {
		return refuse("%w", err)
	}
	if t.Path, err = targetPath(path); err != nil {
		return refuse("%w", err)
	}
	t.Port = port
	return t, nil
}

// splitPort takes the port off a host. def is that of a host without one.
func splitPort(host string, def int) (string, int, error) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host, def, nil
	}
	text := host[colon+1:]
	port, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(port) != text || port < 1 || port > 65535 {
		return "", 0, Errorf(CodeRefused, "", "has a port %.20q, which must be 1 to 65535", text)
	}
	return host[:colon], port, nil
}

// targetHosts returns the host of a target, or a wildcard, as HTTPTarget has it.
func targetHosts(host string) (string, error) {
	below, wild := strings.CutPrefix(host, wildcard)
	one, err := targetHost(below)
	if err != nil || !wild {
		return one, err
	}
	if _, err := netip.ParseAddr(one); err == nil || !strings.Contains(one, ".") {
		return "", Errorf(CodeRefused, "", "has *. in front of an address, or of a name without a dot: write a name such as "+
			"*.example.com")
	}
	return host, nil
}

// targetHost returns the host of a target as HTTPTarget has it.
func targetHost(host string) (string, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if err != nil || !closed || addr.Zone() != "" || addr.String() != inner || !addr.Is6() {
			return "", Errorf(CodeRefused, "", "has an IPv6 address that is not in its usual form, such as [2001:db8::1]")
		}
		return inner, nil
	}
	if !plainHost(host) || host == "" || strings.Contains(host, "..") {
		return "", Errorf(CodeRefused, "", "has no host: write its name in lower case, such as api.example.com")
	}
	for label := range strings.SplitSeq(host, ".") {
		if len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", Errorf(CodeRefused, "", "has a label %.70q in its host, which is too long, or has - at an end", label)
		}
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if addr, err := netip.ParseAddr(host); numeric(last) && (err != nil || !addr.Is4() || addr.String() != host) {
		return "", Errorf(CodeRefused, "", "has a host that ends with a number and is no address of four numbers, such as "+
			"192.0.2.1")
	}
	return host, nil
}

// numeric reports whether the last label of a host makes it an address to programs that parse URLs as browsers do
// (url.spec.whatwg.org, "ends in a number").
func numeric(label string) bool {
	digits := func(s, of string) bool { return strings.Trim(s, of) == "" }
	hex, ok := strings.CutPrefix(label, "0x")
	return label != "" && digits(label, "0123456789") || ok && digits(hex, "0123456789abcdef")
}

// targetPath returns the path of a target as HTTPTarget has it.
func targetPath(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "/", nil
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", Errorf(CodeRefused, "", "has a segment %q in its path, which no path has when it is asked for", segment)
		}
	}
	return path, nil
}

// Origin returns the target's origin, as a URL has it: without the port that goes without saying.
func (t HTTPTarget) Origin() string {
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.Scheme == "https" && t.Port != 443 || t.Scheme == "http" && t.Port != 80 {
		host += ":" + strconv.Itoa(t.Port)
	}
	return t.Scheme + "://" + host
}

// String returns the target as a URL.
func (t HTTPTarget) String() string { return t.Origin() + t.Path }

// Has reports whether a URL is one of the target's: of the same origin, with a path that is its own or below it. The
// path is compared as it is sent, so one with an escaped dot or slash in it is not.
func (t HTTPTarget) Has(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if u.Scheme != t.Scheme || u.User != nil || !t.HasHost(strings.ToLower(u.Hostname())) || port != strconv.Itoa(t.Port) {
		return false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return cleanPath(path) && (t.Path == "/" || path == t.Path || strings.HasPrefix(path, t.Path+"/"))
}

// HasHost reports whether a host, in lower case, is that of the target, or one of those. It may be a wildcard, too.
func (t HTTPTarget) HasHost(host string) bool {
	below, ok := strings.CutPrefix(t.Host, "*")
	return host == t.Host || ok && strings.HasSuffix(host, below) && len(host) > len(below)
}

// cleanPath reports whether a path is the same to those who resolve dots or escapes first and to those who do not.
func cleanPath(path string) bool {
	if path[0] != '/' || strings.ContainsAny(path, "\\") {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\\") {
			return false
		}
	}
	return true
}

// Covers reports whether all requests of another target are requests of this one.
func (t HTTPTarget) Covers(other HTTPTarget) bool {
	return t.Scheme == other.Scheme && t.Port == other.Port && t.HasHost(other.Host) &&
		(t.Path == "/" || other.Path == t.Path || strings.HasPrefix(other.Path, t.Path+"/"))
}

// Private reports whether the host is an address, or a name, of this machine or of a private network, which requests
// do not reach unless whoever runs the invoker lets them.
func (t HTTPTarget) Private() bool {
	if t.Host == "localhost" || strings.HasSuffix(t.Host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(t.Host)
	addr = addr.Unmap()
	return err == nil && (!addr.IsGlobalUnicast() || addr.IsPrivate() || sharedAddresses().Contains(addr))
}

// sharedAddresses returns those of providers' networks (RFC 6598).
func sharedAddresses() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
}
