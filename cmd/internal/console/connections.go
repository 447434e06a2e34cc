package console

import (
	"net/http"
	"time"
)

// Connection is a WebSocket of this process.
type Connection struct {
	ID       string // GATEWAY.NUMBER, where ws.ID is what to publish on
	Function string
	Route    string
	Path     string
	Client   string // its address
	Opened   time.Time
	In, Out  int64 // messages
	Waiting  int   // messages that wait to go out
	Topics   []string
}

// Connections has WebSockets. Its methods may be called from several goroutines.
type Connections interface {
	// List returns at most n connections whose ids come after another's, sorted by id, and how many there are.
	List(after string, n int) (some []Connection, all int)
}

// connectionsShown is how many connections a page has.
const connectionsShown = 100

// connectionPage is what the page of connections shows.
type connectionPage struct {
	Here  bool // there can be some
	Some  []Connection
	All   int
	Next  string
	Paged bool
}

// connections shows the WebSockets of this process.
func (k *Console) connections(w http.ResponseWriter, r *http.Request) {
	after := r.FormValue("after")
	p := connectionPage{Here: k.Connections != nil, Paged: after != ""}
	if k.Connections != nil {
		p.Some, p.All = k.Connections.List(after, connectionsShown)
		if len(p.Some) == connectionsShown {
			p.Next = p.Some[len(p.Some)-1].ID
		}
	}
	k.render(w, r, http.StatusOK, "connections", page{Title: "Connections", Section: "connections", Data: p})
}
