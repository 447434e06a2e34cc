package orders_test

import (
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/demo/orders"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
)

func TestVerdict(t *testing.T) {
	if err := orders.Verdict(orders.Result{Sent: 3, Receipts: 3}); err != nil {
		t.Error(err)
	}
	for _, r := range []orders.Result{
		{}, {Sent: 3, Receipts: 2, Lost: 1}, {Sent: 3, Receipts: 3, Twice: 1}, {Sent: 3, Receipts: 3, Wrong: 1},
	} {
		if err := orders.Verdict(r); exit.Of(err) != exit.Failed || !strings.Contains(err.Error(), "a lower --rate helps") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
