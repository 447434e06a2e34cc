package demo

import (
	"context"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/runtimes/script"
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

// TodoRuntime is what runs the function of Todo.
const TodoRuntime = "javascript"

// Todo deploys lists of things to do, whose pages see each other's changes. The server must have TodoRuntime.
func Todo(ctx context.Context, s *connect.Session) error {
	files, manifest := samples.Todo()
	m, err := project.ParseManifest("todo/"+project.ManifestName, "", string(manifest))
	if err != nil {
		return err
	}
	code, err := script.Pack(files, m.Script, nil)
	if err != nil {
		return err
	}
	m.Function.Runtime = TodoRuntime
	_, err = s.Deploy(ctx, m.Function, code)
	return err
}
