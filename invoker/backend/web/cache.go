package web

import (
	"container/list"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Responses are kept as RFC 9111 says of a shared cache, for a function has many callers, and less than it allows:
//   - of GET with status 200 only, with a lifetime or a validator that the response names, and no guessed one;
//   - never of a request with Authorization or Cookie, nor a response that is private or sets a cookie;
//   - for requests with exactly the same headers of the function, which is more than any Vary but "*" asks for;
//   - for the same function, whose grants are looked at before;
//   - never what is stale, not even if the server cannot be asked.

// cached says whose response is kept, and of what.
type cached struct{ function, url string }

// cache keeps responses. Its methods may be called from several goroutines.
type cache struct {
	now  func() time.Time
	most int64 // bytes of one entry

	mu    sync.Mutex
	room  int64 // that is left
	pages map[cached][]*entry
	used  list.List // of *entry; the one that was used last is first
}

// maxVariants is how many responses of one URL are kept, for requests with different headers.
const maxVariants = 8

// entryCost is what an entry takes besides its body and headers, in bytes.
const entryCost = 1 << 10

// entry is a response that is kept. Nothing in it is changed.
type entry struct {
	of       cached
	wishes   string // the headers that the function has set
	header   http.Header
	body     []byte
	age      time.Duration // when it came
	came     time.Time
	lifetime time.Duration
	size     int64
	element  *list.Element
}

// newCache returns a cache for so many bytes.
func newCache(room int64, now func() time.Time) *cache {
	return &cache{now: now, most: room / 8, room: room, pages: map[cached][]*entry{}}
}

// directives are those of Cache-Control, with their values.
type directives map[string]string

// directivesOf reads Cache-Control. Of a directive that stands there twice the first holds.
func directivesOf(h http.Header) directives {
	d := directives{}
	for part := range strings.SplitSeq(strings.Join(h["Cache-Control"], ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if name = strings.ToLower(name); name != "" && !d.has(name) {
			d[name] = strings.Trim(value, `"`)
		}
	}
	return d
}

// has reports whether there is a directive.
func (d directives) has(name string) bool { _, ok := d[name]; return ok }

// seconds returns the value of a directive. What is no number is 0, which is stale.
func (d directives) seconds(name string) time.Duration { return seconds(d[name]) }

// seconds reads a number of seconds; what is more than some years is some years.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
	if err != nil && !strings.Contains(err.Error(), "out of range") {
		return 0
	}
	return time.Duration(n) * time.Second
}

// asksCache reports whether a request may be answered from a cache, and its response be kept there. Whoever asks for
// a part, or on a condition, does without.
func asksCache(method string, h http.Header) (read, keep bool) {
	if method != http.MethodGet {
		return false, false
	}
	for _, name := range []string{"Authorization", "Cookie", "Range", "If-Range", "If-Match", "If-None-Match",
		"If-Modified-Since", "If-Unmodified-Since"} {
		if h[name] != nil {
			return false, false
		}
	}
	d := directivesOf(h)
	if d.has("no-store") {
		return false, false
	}
	return !d.has("no-cache") && !d.has("max-age") && h["Pragma"] == nil, true
}

// keepable returns how long a response is fresh, and whether it may be kept.
func keepable(status int, h http.Header) (lifetime time.Duration, ok bool) {
	d := directivesOf(h)
	if status != http.StatusOK || d.has("no-store") || d.has("private") || h["Set-Cookie"] != nil ||
		slices.ContainsFunc(h["Vary"], func(v string) bool { return strings.Contains(v, "*") }) {
		return 0, false
	}
	switch {
	case d.has("no-cache"):
	case d.has("s-maxage"):
		lifetime = d.seconds("s-maxage")
	case d.has("max-age"):
		lifetime = d.seconds("max-age")
	default:
		expires, err := http.ParseTime(h.Get("Expires"))
		date, err2 := http.ParseTime(h.Get("Date"))
		if err == nil && err2 == nil {
			lifetime = max(0, expires.Sub(date))
		}
	}
	return lifetime, lifetime > 0 || h.Get("Etag") != "" || h.Get("Last-Modified") != ""
}

// ageOf returns how old a response is that has just come, and was asked for at some time (RFC 9111, 4.2.3).
func ageOf(h http.Header, asked, came time.Time) time.Duration {
	age := seconds(h.Get("Age")) + came.Sub(asked)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		age = max(age, came.Sub(date))
	}
	return max(0, age)
}

// fresh reports whether an entry can be used without asking.
func (e *entry) fresh(now time.Time) bool { return e.age+now.Sub(e.came) < e.lifetime }

// find returns what is kept of a URL for such a request, fresh or not, or nil.
func (c *cache) find(of cached, wishes string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.pages[of] {
		if e.wishes == wishes {
			c.used.MoveToFront(e.element)
			return e
		}
	}
	return nil
}

// put keeps a response in place of an older one for such a request. What has no room there replaces nothing.
func (c *cache) put(e *entry) {
	e.size = entryCost + int64(len(e.body)+len(e.wishes)+len(e.of.url)) + sizeOf(e.header)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, old := range slices.Clone(c.pages[e.of]) {
		if old.wishes == e.wishes {
			c.remove(old)
		}
	}
	if all := c.pages[e.of]; len(all) >= maxVariants {
		c.remove(all[0])
	}
	if e.size > c.most {
		return
	}
	for c.room < e.size {
		c.remove(c.used.Back().Value.(*entry))
	}
	c.room -= e.size
	e.element = c.used.PushFront(e)
	c.pages[e.of] = append(c.pages[e.of], e)
}

// remove forgets an entry. The caller holds the mutex.
func (c *cache) remove(e *entry) {
	c.room += e.size
	c.used.Remove(e.element)
	rest := slices.DeleteFunc(slices.Clone(c.pages[e.of]), func(o *entry) bool { return o == e })
	if c.pages[e.of] = rest; len(rest) == 0 {
		delete(c.pages, e.of)
	}
}

// forget forgets a URL, which was changed (RFC 9111, 4.4).
func (c *cache) forget(of cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range slices.Clone(c.pages[of]) {
		c.remove(e)
	}
}

// renewed returns an entry as a 304 says that it is, and whether it may be kept on.
func (e *entry) renewed(h http.Header, asked, came time.Time) (*entry, bool) {
	n := &entry{of: e.of, wishes: e.wishes, header: maps.Clone(e.header), body: e.body, came: came}
	for name, values := range h {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Content-Range" {
			n.header[name] = values
		}
	}
	n.age = ageOf(h, asked, came)
	if h.Get("Date") == "" { // that of the old one is none of this one's
		delete(n.header, "Date")
	}
	var ok bool
	n.lifetime, ok = keepable(http.StatusOK, n.header)
	return n, ok
}
