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
