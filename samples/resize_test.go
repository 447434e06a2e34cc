package samples_test

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

// servePictures starts the server that the resize-proxy asks, until the end of the test. It returns its address.
func servePictures(t *testing.T) string {
	t.Helper()
	halves := func(p image.Point) color.NRGBA { return choose(p.X < 300, red, blue) }
	wide, end := pngOf(600, 200, halves), make(chan struct{})
	send := func(body []byte, keep string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if keep != "" {
				w.Header().Set("Cache-Control", keep)
			}
			_, _ = w.Write(body)
		}
	}
	say := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) }
	}
	pictures := map[string]http.HandlerFunc{
		"/wide.png": send(wide, "public, max-age=7"), "/2026/at the sea.jpg": send(jpegOf(1000, 500), ""),
		"/100%25?.status": send(pngOf(10, 10, halves), ""), "/%2e%2e/wide.png": send(wide, ""), "/a//b/": send(wide, ""),
		"/page": send([]byte("<html>"), ""), "/cut.png": send(wide[:len(wide)/2], ""), "/empty": send(nil, ""),
		"/huge.png": send(pngHeader(100_000, 100_000), ""), "/long.png": send(make([]byte, 17<<20), ""),
		"/broken": say(500), "/private": say(403), "/gone": say(410),
		"/elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/wide.png", http.StatusFound) },
		"/outside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:1/", http.StatusFound)
		},
		"/slow": func(http.ResponseWriter, *http.Request) { <-end },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := pictures[r.URL.Path]; h != nil {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(func() { close(end); s.Close() })
	return strings.TrimPrefix(s.URL, "http://")
}

// TestResizeProxy asks for pictures of another server by HTTP: those that there are, and what else a server may say.
func TestResizeProxy(t *testing.T) {
	origin := servePictures(t)
	eachLanguage(t, "resize-proxy", 1, func(g granted) {
		g.manifest.Env["ORIGIN"], g.manifest.Grants[0].HTTP = origin, "http://"+origin
		g.deploy()
		door := gateway.New(gateway.Config{Caller: g.Client})
		door.Apply(&g.manifest)
		s := httptest.NewServer(door)
		g.t.Cleanup(s.Close)
		g.checkPictures(s.URL)
		g.checkRefusals(s.URL)

		g.manifest.Limits.Timeout = protocol.Duration(2 * time.Second)
		g.deploy()
		if status, _, body := get(g.t, s.URL+"/img/64/slow"); status != 504 {
			g.t.Errorf("a server that does not answer: %d %s", status, body)
		}
	})
}

// checkPictures asks for pictures that there are.
func (g *granted) checkPictures(url string) {
	g.t.Helper()
	const day = "max-age=86400"
	for _, c := range []struct {
		path, format, keep string
		size               image.Point
		corner             color.NRGBA
	}{
		{"64/wide.png", "png", "public, max-age=7", image.Pt(64, 21), red},
		{"1920/wide.png", "png", "public, max-age=7", image.Pt(600, 200), red},
		{"64/elsewhere", "png", "public, max-age=7", image.Pt(64, 21), red},
		{"320/2026/at%20the%20sea.jpg", "jpeg", day, image.Pt(320, 160), gray(128)},
		{"64/100%2525%3F.status", "png", day, image.Pt(10, 10), red},
	} {
		status, header, body := get(g.t, url+"/img/"+c.path)
		if status != 200 || header.Get("Content-Type") != "image/"+c.format || header.Get("Cache-Control") != c.keep {
			g.t.Errorf("%s: %d %v %.200s", c.path, status, header, body)
			continue
		}
		checkPicture(g.t, c.path, body, c.format, c.size, c.corner)
		tag := header.Get("ETag")
		status, _, body = get(g.t, url+"/img/"+c.path, "If-None-Match", tag)
		if status != http.StatusNotModified || len(body) > 0 {
			g.t.Errorf("%s again, with ETag %s: %d", c.path, tag, status)
		}
	}
}

// checkRefusals asks for what cannot be had.
func (g *granted) checkRefusals(url string) {
	g.t.Helper()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"64/missing":  {404, `there is no picture "missing"`},
		"64/gone":     {404, "there is no picture"},
		"65/wide.png": {404, "want one of"}, "064/wide.png": {404, ""}, "+64/wide.png": {404, ""}, "/wide.png": {404, ""},
		"64/": {404, ""}, "99999999999999999999/wide.png": {404, ""},
		"64/page": {502, `"page" is no picture`}, "64/cut.png": {502, "is no picture"}, "64/empty": {502, "is no picture"},
		"64/huge.png": {502, "is no picture"}, "64/long.png": {502, "cannot be had"},
		"64/broken": {502, "the server says 500"}, "64/private": {502, "the server says 403"},
		"64/outside":                           {502, "cannot be had"},
		"64/%2e%2e%2f%2e%2e%2frequest%2froute": {404, "there is no picture"},
		"64/..%2F" + "wide.png":                {404, "there is no picture"},
		"64/a%00b":                             {404, "there is no picture"},
		"64/http://localhost:1/x":              {404, ""},
	} {
		status, header, body := get(g.t, url+"/img/"+path)
		if status != want.status || !strings.Contains(string(body), want.text) {
			g.t.Errorf("%s: %d %.200s; want %d %s", path, status, body, want.status, want.text)
		}
		if status == 502 && header.Get("Cache-Control") != "max-age=60" {
			g.t.Errorf("%s may be kept %q", path, header.Get("Cache-Control"))
		}
	}
}

// get asks for a page, with a header if there is one.
func get(t *testing.T, url string, header ...string) (status int, h http.Header, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err = io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", url, err))
	}
	return a.StatusCode, a.Header, body
}
