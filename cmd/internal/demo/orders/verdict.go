package orders

import (
	"fmt"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
)

// Verdict is the error for lost orders.
func Verdict(r Result) error {
	if r.Right() {
		return nil
	}
	return &exit.Error{Code: exit.Failed,
		Msg: fmt.Sprintf("of %d orders %d have no receipt, %d receipts came again, and %d were wrong: "+
			"if functions failed with 429 or messages were dropped, a lower --rate helps", r.Sent, r.Lost, r.Twice, r.Wrong)}
}
