package console

import (
	"context"
	"net/http"

	"github.com/polyvoke/polyvoke/protocol"
)

// invokerPage is what the page of invokers shows.
type invokerPage struct {
	Members    []protocol.Member
	Durability string
	Server     string // NATS's name and version
	URL        string
	JetStream  string
	MaxModule  int64
	Payload    int64
}

// invokers shows who serves functions, and on which NATS.
func (k *Console) invokers(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	nc := k.Client.Conn
	p := invokerPage{Server: nc.ConnectedServerName() + " " + nc.ConnectedServerVersion(), URL: nc.ConnectedUrlRedacted(),
		Payload: nc.MaxPayload()}
	var err error
	trouble := ""
	if p.Members, err = k.Client.Invokers(ctx); err != nil {
		trouble = problem(err)
	} else {
		p.Durability, _ = k.Client.Durability(ctx) // it is one that an older invoker does not say
		p.MaxModule, _ = k.Client.MaxModule(ctx)
	}
	k.render(w, r, http.StatusOK, "invokers", page{Title: "Invokers", Section: "invokers", Problem: trouble, Data: p})
}
