package demo

import (
	"context"
	"slices"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/samples"
)

// Pages are what a demo has for browsers and other clients of HTTP.
type Pages struct {
	Chats []protocol.Function // the same chat, in several languages
	Lists bool                // those of Todo
}

// Chats deploys the chat, which browsers and other clients of WebSockets talk with, in the languages that are compiled,
// and as a script if its runtime is there. It returns what it has deployed.
func Chats(ctx context.Context, s *connect.Session, runtimes []script.Info) ([]protocol.Function, error) {
	var all []protocol.Function
	for _, chat := range samples.Chats() {
		is := func(i script.Info) bool { return i.Name == chat.Runtime }
		if chat.Script != nil && !slices.ContainsFunc(runtimes, is) {
			continue
		}
		m, err := project.ParseManifest(chat.Name+"/"+project.ManifestName, "", string(chat.Manifest))
		if err != nil {
			return all, err
		}
		f, code := m.Function, chat.Wasm
		if chat.Script != nil {
			f.Runtime = chat.Runtime
			if code, err = script.Pack(chat.Script, chat.Entry, nil); err != nil {
				return all, err
			}
		}
		if _, err = s.Deploy(ctx, f, code); err != nil {
			return all, err
		}
		all = append(all, f)
	}
	return all, nil
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
