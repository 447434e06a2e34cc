package gateway

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// compressFrom is from which length on a body is worth it, in bytes: shorter ones fit a packet.
const compressFrom = 1 << 10

// codings are those that a body can have, the best first.
var codings = []string{"zstd", "gzip"}

// compress returns a body in the coding that the client likes best, if that is worth it, and says so in the headers.
func (x *exchange) compress(h http.Header, status int, body []byte) ([]byte, error) {
	if len(body) < compressFrom || status < 200 || status == http.StatusPartialContent || !compressible(h) {
		return body, nil
	}
	h["Vary"] = append(slices.Clip(h["Vary"]), "Accept-Encoding")
	coding := negotiate(x.r.Header["Accept-Encoding"])
	if coding == "" {
		return body, nil
	}
	short, err := encode(coding, body)
	if err != nil || len(short) >= len(body) {
		return body, err
	}
	h["Content-Encoding"] = []string{coding}
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") { // the bytes are others
		h["Etag"] = []string{"W/" + tag}
	}
	return short, nil
}

// compressible reports whether a body gets shorter, by its type, and whether the function lets it be changed.
func compressible(h http.Header) bool {
	if h["Content-Encoding"] != nil || strings.Contains(strings.Join(h["Cache-Control"], ","), "no-transform") {
		return false
	}
	kind, _, _ := strings.Cut(strings.ToLower(h.Get("Content-Type")), ";")
	kind = strings.TrimSpace(kind)
	switch kind {
	case "application/json", "application/javascript", "application/xml", "application/wasm", "application/x-ndjson",
		"application/yaml", "application/toml", "application/rtf", "font/ttf", "font/otf", "image/svg+xml", "image/bmp":
		return true
	}
	return strings.HasPrefix(kind, "text/") && kind != "text/event-stream" || strings.HasSuffix(kind, "+json") ||
		strings.HasSuffix(kind, "+xml")
}

// negotiate returns the coding that a client likes best, or nothing (RFC 9110, section 12.5.3).
func negotiate(accept []string) string {
	best, weight := "", 0.0
	for _, coding := range codings {
		if q := acceptance(accept, coding); q > weight {
			best, weight = coding, q
		}
	}
	return best
}

// acceptance returns how much a client likes a coding; what it says of the coding counts more than what it says of any.
func acceptance(accept []string, coding string) float64 {
	any := 0.0
	for _, list := range accept {
		for item := range strings.SplitSeq(list, ",") {
			name, params, _ := strings.Cut(item, ";")
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, coding), coding == "gzip" && strings.EqualFold(name, "x-gzip"):
				return quality(params)
			case name == "*":
				any = quality(params)
			}
		}
	}
	return any
}

// Encoders are used again: they are costly to make.
var (
	gzips = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	zstds = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
			zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	})
)

// encode returns a body in a coding. Browsers take windows of up to 8 MiB (RFC 9659).
func encode(coding string, body []byte) ([]byte, error) {
	if coding == "zstd" {
		e, err := zstds()
		if err != nil {
			return nil, err
		}
		return e.EncodeAll(body, make([]byte, 0, len(body)/2)), nil
	}
	var b bytes.Buffer
	w := gzips.Get().(*gzip.Writer)
	defer gzips.Put(w)
	w.Reset(&b)
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}
