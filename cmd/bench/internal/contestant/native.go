package contestant

import (
	"context"
	"encoding/json"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// native is a Go function in the same process, which is what a function costs without a sandbox.
func native() Contestant {
	return Contestant{
		Name:  Native,
		About: "a Go function called in the process; through NATS a plain queue subscriber of nats.go",
		Open: func(_ context.Context, s Setup) (Runner, error) {
			return &nativeRunner{guest: s.Guest, replies: make([][]byte, s.Callers)}, nil
		},
	}
}

// nativeRunner answers as the guest does.
type nativeRunner struct {
	guest   *guest.Guest
	replies [][]byte // by caller
}

// Run implements Runner.
func (n *nativeRunner) Run(_ context.Context, caller int, body []byte) ([]byte, error) {
	if n.guest.Name == "Go JSON" {
		return greet(body)
	}
	n.replies[caller] = append(n.replies[caller][:0], body...)
	return n.replies[caller], nil
}

// greet is the guest gojson as a function.
func greet(body []byte) ([]byte, error) {
	var q struct {
		Name    string `json:"name"`
		Numbers []int  `json:"numbers"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	var r struct {
		Greeting string `json:"greeting"`
		Sum      int    `json:"sum"`
	}
	r.Greeting = "Hello, " + q.Name + "!"
	for _, n := range q.Numbers {
		r.Sum += n
	}
	return json.Marshal(r)
}

// Close implements Runner.
func (n *nativeRunner) Close() error { return nil }
