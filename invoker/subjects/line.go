package subjects

import (
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// probeTimeout bounds one attempt to find out what a server takes.
const probeTimeout = 5 * time.Second

// shortestLine is less than any server is set to that can be worked with, in bytes.
const shortestLine = 256

// Line returns the length of the longest protocol line that the server of nc takes, in bytes, or protocol.DefaultLine
// if it takes longer ones. Servers do not say it, so it is tried out, on connections of their own: one, and some more
// if the server takes less than the default. What cannot be found out is an error, and the default.
func Line(nc *nats.Conn) (int, error) {
	low, high := shortestLine, protocol.DefaultLine
	for try := high; low < high; try = (low + high + 1) / 2 {
		fits, err := takes(nc, try)
		switch {
		case err != nil:
			return protocol.DefaultLine, err
		case fits:
			low = try
		default:
			high = try - 1
		}
	}
	return low, nil
}

// takes reports whether the server takes a line of a length. The line is a subscription to an inbox, which every client
// may make.
func takes(nc *nats.Conn, line int) (bool, error) {
	if !nc.IsConnected() {
		return false, nats.ErrDisconnected
	}
	probe, err := another(nc.Opts, nc.ConnectedUrl(), probeTimeout)
	if err != nil {
		return false, err
	}
	defer probe.Close()
	const around = len("  1") // what nats.go puts behind the subject: no queue group, and the number of the subscription
	inbox := probe.NewInbox() + "."
	if _, err := probe.SubscribeSync(inbox + strings.Repeat("x", max(1, line-len(inbox)-around))); err != nil {
		return false, err
	}
	err = probe.FlushTimeout(probeTimeout)
	if errors.Is(err, nats.ErrTimeout) {
		return false, err
	}
	return err == nil, nil // the server has closed the connection
}

// Fit returns nil if all that a function is called by can be subscribed to at a server that takes lines of a length.
// The error's code is 422.
func Fit(e registry.Entry, line int) error {
	for _, s := range Of(e) {
		if !protocol.FitsSubscription(s.Name, s.Queue, line) {
			return protocol.Errorf(protocol.CodeRefused, "",
				"subject %.40q... in queue group %.40q is too long for the NATS server, "+
					"which takes lines of %d bytes (max_control_line)",
				s.Name, s.Queue, line)
		}
	}
	return nil
}
