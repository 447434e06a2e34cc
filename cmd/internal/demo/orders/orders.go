// Package orders shows five functions in five languages at work side by side: orders pass through them by subjects
// alone.
//
// In goes a Session with a polyvoke behind it, and how many orders to send; out comes what each function did
// meanwhile, and whether a right receipt came out for every order, once.
package orders

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// Deploy deploys the five functions. What it does is said to say.
func Deploy(ctx context.Context, s *connect.Session, say func(what string)) error {
	for _, step := range samples.Orders() {
		f, err := manifest(step)
		if err != nil {
			return err
		}
		t := f.Triggers[0]
		say(fmt.Sprintf("deploying %s (%s): %s -> %s", f.Name, f.Language, t.Subject, t.To))
		if _, err := s.Deploy(ctx, f, step.Wasm); err != nil {
			return err
		}
	}
	return nil
}

// manifest reads a step's polyvoke.toml, which has one trigger.
func manifest(step samples.Step) (protocol.Function, error) {
	m, err := project.ParseManifest(step.Name+"/"+project.ManifestName, "", string(step.Manifest))
	if err != nil {
		return protocol.Function{}, err
	}
	f := m.Function
	if len(f.Triggers) != 1 {
		err = fmt.Errorf("manifest of %s: %d triggers, not 1", step.Name, len(f.Triggers))
	}
	return f, err
}
