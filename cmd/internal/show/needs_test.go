package show_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// What an invoker does not serve is not called damaged.
func TestUnserved(t *testing.T) {
	var out bytes.Buffer
	show.Damage(&out, []protocol.Damage{
		{Name: "torn", Reason: "it is torn"},
		{Name: "new", Reason: "function new needs warp", Needs: []string{"warp"}},
	})
	if want := "damaged: torn: it is torn\nnot served: new: function new needs warp\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	needy := protocol.Function{Name: "new", Version: 2, Needs: []string{"warp"}}
	show.Info(&out, terminal.Paint(""), protocol.InfoReply{Function: needy, Unknown: []string{"warp"}}, 1)
	for _, want := range []string{"needs", "not served", "does not know warp: update it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("info has no %q:\n%s", want, &out)
		}
	}
	out.Reset()
	show.Info(&out, terminal.Paint(""), protocol.InfoReply{Function: protocol.Function{Name: "plain"}}, 1)
	if strings.Contains(out.String(), "needs") || strings.Contains(out.String(), "not served") {
		t.Errorf("info of a plain function:\n%s", &out)
	}
}
