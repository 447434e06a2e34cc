package frontdoor

import (
	"context"
	"log/slog"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

// longest parts of a line, in bytes; a client chooses how long they are.
const (
	maxPath  = 1024
	maxAgent = 256
)

// AccessLog returns an observer that writes a line for each answer.
func AccessLog(log *slog.Logger) gateway.Observer { return accessLog{log} }

// accessLog is what AccessLog returns.
type accessLog struct{ log *slog.Logger }

// Begin implements gateway.Observer.
func (accessLog) Begin(*gateway.Exchange) {}

// End implements gateway.Observer. The names are those of the other lines, where they have any.
func (a accessLog) End(e *gateway.Exchange) {
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs, slog.String("method", e.Method), slog.String("path", protocol.CleanValue(e.Path, maxPath)),
		slog.Int("status", e.Status), slog.String("client", e.Client), slog.Int64("in", e.In), slog.Int64("out", e.Out),
		slog.Float64("ms", float64(e.Took.Round(time.Microsecond))/float64(time.Millisecond)))
	if e.Function.Name != "" {
		attrs = append(attrs, slog.String("function", e.Function.String()))
	}
	if e.Route != "" {
		attrs = append(attrs, slog.String("route", e.Route))
	}
	if e.ID != "" {
		attrs = append(attrs, slog.String("id", e.ID))
	}
	if e.Agent != "" {
		attrs = append(attrs, slog.String("agent", protocol.CleanValue(e.Agent, maxAgent)))
	}
	if e.Aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if e.Cut != "" {
		attrs = append(attrs, slog.String("cut", e.Cut))
	}
	a.log.LogAttrs(context.Background(), slog.LevelInfo, "http", attrs...)
}
