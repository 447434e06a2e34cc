package backendtest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClerk checks that the module was made of the source beside it.
func TestClerk(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join("testdata", "clerk.sum"))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, name := range []string{"clerk.c", "clerk.wasm"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(b), name)
	}
	if string(sums) != want.String() {
		t.Errorf("testdata/clerk.sum is\n%swant\n%srun go generate", sums, want.String())
	}
}
