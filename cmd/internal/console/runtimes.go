package console

import (
	"context"
	"net/http"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
)

// runtimes shows what runs scripts: on NATS, and on this machine.
func (k *Console) runtimes(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	trouble := ""
	added, err := k.Client.Runtimes(ctx)
	if err != nil {
		trouble = problem(err)
	}
	k.render(w, r, http.StatusOK, "runtimes", page{Title: "Runtimes", Section: "runtimes", Problem: trouble,
		Data: interpreters.Rows(added)})
}
