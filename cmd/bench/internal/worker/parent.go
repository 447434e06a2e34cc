package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Worker is a worker process, seen from outside. It is for one goroutine at a time.
type Worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// patience is how long a worker may take for one answer; the compilation of the largest modules is one.
const patience = 10 * time.Minute

// Start starts a worker. Its stderr is this process's.
func Start(name string, args []string, env ...string) (*Worker, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Worker{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}, nil
}

// Ask sends a request and waits for its answer. A worker that is gone, or silent for ten minutes, is an error.
func (w *Worker) Ask(q Request) (Reply, error) {
	late := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	var r Reply
	if err := w.enc.Encode(q); err != nil {
		return r, fmt.Errorf("the worker is gone: %w", err)
	}
	if err := w.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("the worker died: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// Close ends the worker and waits for it.
func (w *Worker) Close() error {
	late := time.AfterFunc(30*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	return errors.Join(w.in.Close(), w.cmd.Wait())
}
