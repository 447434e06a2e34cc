package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	// tick is how often a page is looked at for what has changed, and often for one that shows lines or calls.
	tick, often = time.Second, 250 * time.Millisecond
	// quiet is after how long a stream says that it is there.
	quiet = 15 * time.Second
)

// stream is a stream of server-sent events that keeps one page up to date. It is for one goroutine.
type stream struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	parts map[string]string // what the page has, by id
	rows  map[string]map[string]string
	order map[string][]string
	spoke time.Time
	wrong error
}

// stream keeps a page up to date: each is called at once, and then again and again, until the browser goes, or the
// console ends.
func (k *Console) stream(w http.ResponseWriter, r *http.Request, every time.Duration, each func(s *stream)) {
	select {
	case k.streams <- struct{}{}:
		defer func() { <-k.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer k.poller.Watch()()
	s := &stream{w: w, flush: http.NewResponseController(w), parts: map[string]string{},
		rows: map[string]map[string]string{}, order: map[string][]string{}}
	w.Header().Set("Content-Type", "text/event-stream")
	_ = s.flush.SetWriteDeadline(time.Time{}) // the server's is one for whole answers
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for s.wrong == nil {
		each(s)
		if time.Since(s.spoke) > quiet {
			s.send("still", nil)
		}
		if err := s.flush.Flush(); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-k.ended:
			return
		}
	}
}

// send sends an event, in JSON.
func (s *stream) send(event string, data any) {
	b, err := json.Marshal(data)
	if err == nil {
		_ = s.flush.SetWriteDeadline(time.Now().Add(quiet))
		_, err = fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, b)
	}
	s.wrong, s.spoke = err, time.Now()
}

// part sends the inside of the element with an id, if it is not what the page has.
func (s *stream) part(id, html string) {
	if was, ok := s.parts[id]; ok && was == html {
		return
	}
	s.parts[id] = html
	s.send("part", map[string]string{"id": id, "html": html})
}

// row is a row of a table.
type row struct {
	Key, HTML string
}

// table sends those rows of a table that have changed, and their order.
func (s *stream) table(id string, rows []row) {
	was, now := s.rows[id], map[string]string{}
	changed := map[string]string{}
	var order []string
	for _, r := range rows {
		now[r.Key] = r.HTML
		order = append(order, r.Key)
		if html, ok := was[r.Key]; !ok || html != r.HTML {
			changed[r.Key] = r.HTML
		}
	}
	if was != nil && len(changed) == 0 && slices.Equal(order, s.order[id]) {
		return
	}
	s.rows[id], s.order[id] = now, order
	if order == nil {
		order = []string{}
	}
	s.send("rows", map[string]any{"id": id, "order": order, "rows": changed})
}

// lines sends lines that are to come below those that a log has.
func (s *stream) lines(id string, html []string) {
	if len(html) > 0 {
		s.send("lines", map[string]any{"id": id, "html": html})
	}
}
