package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Sockets counts WebSockets and their messages. Its methods do not wait, and may be called from several goroutines.
type Sockets struct {
	connections       prometheus.Gauge
	received, sent    prometheus.Counter
	dropped, rejected prometheus.Counter
}

// make registers the metrics.
func (s *Sockets) make(r *prometheus.Registry) {
	s.connections = prometheus.NewGauge(prometheus.GaugeOpts{Name: "polyvoke_websocket_connections",
		Help: "WebSockets that are open."})
	messages := counters(r, "polyvoke_websocket_messages_total", "Messages of WebSockets.", "direction")
	s.received, s.sent = messages.WithLabelValues("in"), messages.WithLabelValues("out")
	s.dropped = prometheus.NewCounter(prometheus.CounterOpts{Name: "polyvoke_websocket_dropped_total",
		Help: "Messages that a WebSocket was too slow for, which was closed."})
	s.rejected = prometheus.NewCounter(prometheus.CounterOpts{Name: "polyvoke_websocket_rejected_total",
		Help: "WebSockets that were refused when they were to be opened."})
	r.MustRegister(s.connections, s.dropped, s.rejected)
}

// Opened counts a connection that is open now.
func (s *Sockets) Opened() { s.connections.Inc() }

// Closed counts a connection of Opened that is closed now.
func (s *Sockets) Closed() { s.connections.Dec() }

// Received counts a message of a client.
func (s *Sockets) Received() { s.received.Inc() }

// Sent counts a message to a client.
func (s *Sockets) Sent() { s.sent.Inc() }

// Dropped counts a message for which a client was too slow.
func (s *Sockets) Dropped() { s.dropped.Inc() }

// Rejected counts a connection that was not opened.
func (s *Sockets) Rejected() { s.rejected.Inc() }
