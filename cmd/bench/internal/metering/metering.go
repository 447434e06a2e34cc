// Package metering measures what metering costs: guests that compute, each in several forms.
package metering

import (
	"context"
	"errors"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
)

// Loads are the guests that have been made ready so far.
type Loads struct{}

func (l *Loads) Run(ctx context.Context, g *guest.Guest, form string) (measure.Sample, error) {
	return measure.Sample{}, errors.New("todo")
}
