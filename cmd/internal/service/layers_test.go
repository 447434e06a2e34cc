package service

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestLayers checks that nothing compiles any more once the layers have ended.
func TestLayers(t *testing.T) {
	rt, end, err := layers(t.Context(), Config{Cache: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	end()
	_, err = rt.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
	if err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after its end: got the error %v", err)
	}
}
