package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// clock is a time that a test sets.
type clock struct{ at atomic.Int64 }

// now returns the time.
func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }

// forward moves the time on.
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }

// newClock returns a clock that shows the real time.
func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().Truncate(time.Second).UnixNano())
	return c
}

// TestCache asks twice, some time apart, and counts how often the server was asked.
func TestCache(t *testing.T) {
	h := func(lines ...string) string { return strings.Join(lines, "\n") }
	for name, c := range map[string]struct {
		response string // headers, a line each; {date+N} is the time of the response and N seconds
		request  string
		later    time.Duration
		asked    int
	}{
		"nothing said":                 {"", "", 0, 2},
		"fresh":                        {"Cache-Control: max-age=60", "", 59 * time.Second, 1},
		"stale":                        {"Cache-Control: max-age=60", "", 61 * time.Second, 2},
		"fresh, by what is shared":     {"Cache-Control: max-age=1, s-maxage=60", "", 59 * time.Second, 1},
		"stale, by what is shared":     {"Cache-Control: max-age=60, s-maxage=0", "", time.Second, 2},
		"old when it came":             {h("Cache-Control: max-age=60", "Age: 50"), "", 11 * time.Second, 2},
		"old, but not too old":         {h("Cache-Control: max-age=60", "Age: 50"), "", 9 * time.Second, 1},
		"old by its date":              {h("Cache-Control: max-age=60", "Date: {date-50}"), "", 11 * time.Second, 2},
		"expires":                      {h("Expires: {date+60}", "Date: {date+0}"), "", 59 * time.Second, 1},
		"has expired":                  {h("Expires: {date+60}", "Date: {date+0}"), "", 61 * time.Second, 2},
		"expires at no time":           {h("Expires: 0", "Date: {date+0}"), "", 0, 2},
		"quoted":                       {`Cache-Control: public, max-age="60"`, "", 59 * time.Second, 1},
		"two lines":                    {h("Cache-Control: public", "Cache-Control: MAX-AGE=60"), "", 59 * time.Second, 1},
		"the first of two":             {"Cache-Control: max-age=0, max-age=60", "", time.Second, 2},
		"no number":                    {"Cache-Control: max-age=soon", "", 0, 2},
		"a number below zero":          {"Cache-Control: max-age=-1", "", 0, 2},
		"a very large number":          {"Cache-Control: max-age=99999999999999999999", "", time.Hour, 1},
		"no-store":                     {"Cache-Control: no-store, max-age=60", "", 0, 2},
		"private":                      {"Cache-Control: private, max-age=60", "", 0, 2},
		"no-cache":                     {"Cache-Control: no-cache, max-age=60", "", 0, 2},
		"sets a cookie":                {h("Cache-Control: max-age=60", "Set-Cookie: a=b"), "", 0, 2},
		"varies by anything":           {h("Cache-Control: max-age=60", "Vary: Accept, *"), "", 0, 2},
		"varies by a header":           {h("Cache-Control: max-age=60", "Vary: Accept"), "Accept: text/plain", 0, 1},
		"with a credential":            {"Cache-Control: public, max-age=60", "Authorization: x", 0, 2},
		"with a cookie":                {"Cache-Control: public, max-age=60", "Cookie: x", 0, 2},
		"a part":                       {"Cache-Control: max-age=60", "Range: bytes=0-1", 0, 2},
		"on a condition":               {"Cache-Control: max-age=60", `If-None-Match: "x"`, 0, 2},
		"none wanted":                  {"Cache-Control: max-age=60", "Cache-Control: no-cache", 0, 2},
		"none to be kept":              {"Cache-Control: max-age=60", "Cache-Control: no-store", 0, 2},
		"only a new one":               {"Cache-Control: max-age=60", "Cache-Control: max-age=0", 0, 2},
		"only a new one, in old words": {"Cache-Control: max-age=60", "Pragma: no-cache", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			clock, asked := newClock(), 0
			at := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header()["Date"] = nil
				for line := range strings.Lines(c.response) {
					name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
					for n := -50; n <= 60; n++ {
						value = strings.ReplaceAll(value, fmt.Sprintf("{date%+d}", n),
							clock.now().Add(time.Duration(n)*time.Second).UTC().Format(http.TimeFormat))
					}
					w.Header().Add(name, value)
				}
				fmt.Fprint(w, "response ", asked)
			})
			w := newWorld(t, Config{Now: clock.now}, protocol.Grant{HTTP: "http://" + at})
			for n := range 2 {
				r := w.begin()
				if err := r.put(at+"/x.headers", c.request); err != nil {
					t.Fatal(err)
				}
				if got, want := r.must(at+"/x"), fmt.Sprint("response ", min(n+1, c.asked)); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				clock.forward(c.later)
			}
			if asked != c.asked {
				t.Errorf("it was asked for %d times, want %d", asked, c.asked)
			}
		})
	}
}

// TestCacheRevalidates asks whether a stale response is still the one.
func TestCacheRevalidates(t *testing.T) {
	clock := newClock()
	var tag, modified, control atomic.Value
	tag.Store(`"v1"`)
	modified.Store("")
	control.Store("max-age=60")
	full, same := 0, 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Cache-Control", control.Load().(string))
		if s := modified.Load().(string); s != "" {
			w.Header().Set("Last-Modified", s)
		}
		if s := tag.Load().(string); s != "" {
			w.Header().Set("Etag", s)
		}
		if c := r.Header.Get("If-None-Match") + r.Header.Get("If-Modified-Since"); c != "" &&
			c == tag.Load().(string)+modified.Load().(string) {
			same++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full++
		fmt.Fprint(w, "body ", full)
	})
	w := newWorld(t, Config{Now: clock.now}, protocol.Grant{HTTP: "http://" + at})
	step := func(about, want string, wantFull, wantSame int) {
		t.Helper()
		r := w.begin()
		if got := r.must(at + "/x"); got != want || full != wantFull || same != wantSame {
			t.Errorf("%s: %q after %d full and %d short answers; want %q, %d, %d", about, got, full, same, want, wantFull,
				wantSame)
		}
		if got := r.must(at + "/x.status"); got != "200" {
			t.Errorf("%s: the status is %s", about, got)
		}
	}
	step("first", "body 1", 1, 0)
	clock.forward(61 * time.Second)
	step("stale", "body 1", 1, 1)
	step("fresh again", "body 1", 1, 1)
	clock.forward(61 * time.Second)
	tag.Store(`"v2"`)
	step("changed", "body 2", 2, 1)
	control.Store("no-cache")
	clock.forward(61 * time.Second)
	step("no-cache, same", "body 2", 2, 2)
	step("no-cache, same again", "body 2", 2, 3)
	tag.Store("")
	modified.Store("Mon, 02 Jan 2006 15:04:05 GMT")
	step("by time", "body 3", 3, 3)
	step("by time, same", "body 3", 3, 4)
	control.Store("no-store")
	step("not to be kept any more", "body 3", 3, 5)
	step("which it is not", "body 4", 4, 5)
}

// TestCacheApart checks whose responses are whose: another function never sees them, nor another run that was repeated
// because of a conflict, and a method with an effect makes them void.
func TestCacheApart(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, "response ", asked.Add(1))
	})
	grant := protocol.Grant{HTTP: "http://" + at, Methods: all}
	one := newWorld(t, Config{}, grant)
	other, next := open(t, one.web, "other", grant), open(t, one.web, "shop", grant)
	narrow := open(t, one.web, "shop", protocol.Grant{HTTP: "http://" + at + "/y"})
	for i, c := range []struct {
		w    *world
		call backend.Call
		want string
	}{
		{one, backend.Call{}, "response 1"}, {one, backend.Call{}, "response 1"}, {next, backend.Call{}, "response 1"},
		{other, backend.Call{}, "response 2"}, {one, backend.Call{Again: 1}, "response 3"},
		{one, backend.Call{}, "response 3"}, {other, backend.Call{}, "response 2"},
	} {
		if got := c.w.beginWith(c.call).must(at + "/x"); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
	if got, err := narrow.begin().get(at + "/x"); err == nil {
		t.Errorf("a version without that grant got %q", got)
	}
	if err := one.begin().put(at+"/x", "new"); err != nil {
		t.Fatal(err)
	}
	if got := one.begin().must(at + "/x"); got != "response 5" {
		t.Errorf("after a change got %q", got)
	}
	r := one.begin()
	if err := r.put(at+"/x.headers", "Accept: text/plain"); err != nil {
		t.Fatal(err)
	}
	if got := r.must(at + "/x"); got != "response 6" {
		t.Errorf("with another header got %q", got)
	}
	if got := r.must(at + "/x.headers"); !strings.Contains(got, "Cache-Control: max-age=60\n") {
		t.Errorf("the headers are %q", got)
	}
	if got := one.begin().must(at + "/x"); got != "response 5" {
		t.Errorf("without it got %q", got)
	}
}

// TestCacheBounds fills the cache.
func TestCacheBounds(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		n := 1000
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		fmt.Fprint(w, strings.Repeat("x", n))
	})
	const room = 100_000
	w := newWorld(t, Config{Cache: room}, protocol.Grant{HTTP: "http://" + at})
	kept := func() (n int, size int64) {
		for _, list := range w.web.cache.pages {
			for _, e := range list {
				n, size = n+1, size+e.size
			}
		}
		return n, size
	}
	for i := range 300 {
		w.begin().must(fmt.Sprintf("%s/%d", at, 1000+i%100))
		w.begin().must(fmt.Sprintf("%s/%d", at, 20_000)) // which is too large for it
		r := w.begin()
		if err := r.put(at+"/x.headers", fmt.Sprint("X-N: ", i)); err != nil {
			t.Fatal(err)
		}
		r.must(at + "/x")
	}
	n, size := kept()
	if n < 10 || size > room || size+w.web.cache.room != room || n != w.web.cache.used.Len() {
		t.Errorf("%d responses of %d bytes are kept, and %d are left", n, size, w.web.cache.room)
	}
	if all := w.web.cache.pages[cached{"shop", "http://" + at + "/x"}]; len(all) > maxVariants {
		t.Errorf("%d variants are kept", len(all))
	}
	none := newWorld(t, Config{Cache: -1}, protocol.Grant{HTTP: "http://" + at})
	none.begin().must(at + "/1000")
	if len(none.web.cache.pages) != 0 {
		t.Error("something is kept")
	}
}

// TestHammerWeb has many runs ask, write, end and be cut off, for two functions with one cache.
func TestHammerWeb(t *testing.T) {
	var tick atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := tick.Add(1)
		if n%3 == 0 {
			w.Header().Set("Cache-Control", "max-age=1")
		}
		w.Header().Set("Etag", fmt.Sprintf("%q", r.URL.Path+r.Header.Get("X-Function")))
		if r.Header.Get("If-None-Match") == w.Header().Get("Etag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if n%7 == 0 {
			http.Redirect(w, r, "/redirected", http.StatusFound)
			return
		}
		if n%5 == 0 {
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, r.URL.Path, " ", r.Header.Get("X-Function"), " ", strings.Repeat("x", int(n%50_000)))
	})
	clock := newClock()
	c := Config{Concurrency: 4, Cache: 1 << 20, Now: clock.now}
	grant := protocol.Grant{HTTP: "http://" + at, Methods: all}
	one := newWorld(t, c, grant)
	worlds := map[string]*world{"shop": one, "other": open(t, one.web, "other", grant)}
	var running sync.WaitGroup
	for name, w := range worlds {
		for g := range 8 {
			running.Go(func() {
				for i := range 30 {
					hammer(t, w, at, name, g*100+i)
					clock.forward(20 * time.Millisecond)
				}
			})
		}
	}
	running.Wait()
}

// hammer is one run of TestHammerWeb.
func hammer(t *testing.T, w *world, at, function string, n int) {
	call := backend.Call{Output: 60_000}
	if n%11 == 0 {
		call.Deadline = time.Now().Add(time.Duration(n%7) * time.Millisecond)
	}
	r := w.beginWith(call)
	defer r.End()
	for i := range 4 {
		name := fmt.Sprintf("%s/%d", at, (n+i)%6)
		_ = r.put(name+".headers", "X-Function: "+function)
		if (n+i)%9 == 0 {
			_ = r.put(name, "body")
		}
		got, err := r.get(name)
		if words := strings.Fields(got); err == nil && (len(words) < 2 || words[1] != function) {
			t.Errorf("%s: %s got %.40q", name, function, got)
		}
		if err != nil && call.Deadline.IsZero() {
			t.Errorf("%s: %v; the log is %q", name, err, r.log)
		}
	}
}
