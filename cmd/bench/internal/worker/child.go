package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Handler answers one request.
type Handler func(Request) (Reply, error)

// Serve answers requests until in ends. A panic of a handler is its error.
func Serve(in io.Reader, out io.Writer, h Handler) error {
	dec, enc := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var q Request
		if err := dec.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := enc.Encode(answer(q, h)); err != nil {
			return err
		}
	}
}

// answer calls a handler.
func answer(q Request, h Handler) (r Reply) {
	defer func() {
		if p := recover(); p != nil {
			r = Reply{Error: fmt.Sprintf("panic: %v", p)}
		}
	}()
	r, err := h(q)
	if err != nil {
		r.Error = err.Error()
	}
	return r
}
