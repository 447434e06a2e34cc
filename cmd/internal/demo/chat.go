package demo

import (
	"context"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/samples"
)

// Chat deploys the chat, which browsers and other clients of WebSockets talk with.
func Chat(ctx context.Context, s *connect.Session) error {
	step := samples.Chat()
	m, err := project.ParseManifest(step.Name+"/"+project.ManifestName, "", string(step.Manifest))
	if err != nil {
		return err
	}
	_, err = s.Deploy(ctx, m.Function, step.Wasm)
	return err
}
