package service

import (
	"context"
	"maps"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	stored "github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/jobs/recordings"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// recordingVerbs returns the control verbs of recordings, and of the code that whoever runs one again needs.
func recordingVerbs(
	r *recordings.Store, js jetstream.JetStream, reg registry.Registry, scripts *stored.Store, c Config,
) map[protocol.APIVerb]protocol.APIHandler {
	large := bodies.New(js, bodies.Config{Replicas: c.Replicas})
	return r.Verbs(recordings.Modules{
		Module: reg.Module,
		Bundle: func(ctx context.Context, ref string) ([]byte, error) {
			_, read, err := scripts.Bundle(ctx, ref)
			if err != nil {
				return nil, err
			}
			return read()
		},
		Put: large.PutBytes,
	})
}

// addVerbs lets an invoker answer more control verbs.
func addVerbs(v *invoker.Invoker, verbs map[protocol.APIVerb]protocol.APIHandler) {
	if v.Verbs == nil {
		v.Verbs = map[protocol.APIVerb]protocol.APIHandler{}
	}
	maps.Copy(v.Verbs, verbs)
}
