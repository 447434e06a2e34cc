package gateway

import (
	"net/http"
	"strings"
)

// unchanged reports whether the client has what the function answers with: by the ETag, or else by the time of the last
// change, that the function has set (RFC 9110, section 13).
func (x *exchange) unchanged(h http.Header, status int) bool {
	get := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
	if !get || status != http.StatusOK {
		return false
	}
	if known := x.r.Header["If-None-Match"]; len(known) > 0 {
		tag := h.Get("Etag")
		return tag != "" && matches(strings.Join(known, ","), tag)
	}
	since, err := http.ParseTime(x.r.Header.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	changed, err := http.ParseTime(h.Get("Last-Modified"))
	return err == nil && !changed.After(since)
}

// matches reports whether a list of tags has one, by the weak comparison (RFC 9110, section 8.8.3.2).
func matches(list, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == tag {
			return true
		}
	}
	return false
}
