package contestant

import (
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/pipeline"
)

// What serves through NATS starts as it was asked to, and answers.
func TestServe(t *testing.T) {
	url, err := pipeline.Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := pipeline.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	g := probe(t)
	for _, kind := range []string{"fresh", "reset", "prefork", "checkpoint"} {
		t.Run(kind, func(t *testing.T) {
			r, err := polyvoke(kind).Open(t.Context(), Setup{Guest: g, Cache: t.TempDir(), Callers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}()
			subject := "fn." + kind
			if err := r.(Server).Serve(t.Context(), url, subject); err != nil {
				t.Fatal(err)
			}
			load := pipeline.Load{Subject: subject, Body: g.Body, Want: g.Want, Slice: measure.Slice{Calls: 20}}
			if _, err := client.Run(t.Context(), load); err != nil {
				t.Error(err)
			}
		})
	}
}
