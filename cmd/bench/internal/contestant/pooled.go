package contestant

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant/pool"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// wasmtimePool is wasmtime at its best: prepared instances from the pooling allocator, and no files.
func wasmtimePool() Contestant {
	return Contestant{
		Name: "wasmtime, pooling",
		About: "wasmtime 37 by its C API with the pooling allocator (keep_resident 256 KiB, memory by copy on write): a " +
			"store and an instance for each call; fd_read and fd_write are C functions that copy bytes",
		Open: openPooled,
	}
}

// pooledRunner is a compiled module.
type pooledRunner struct {
	guest *guest.Guest
	pool  *pool.Pool
	rooms []*pool.Room // by caller
}

// roomSize is enough for the largest body and reply.
const roomSize = 128 << 10

// openPooled compiles the guest, or loads it if that has been done.
func openPooled(_ context.Context, s Setup) (Runner, error) {
	p, err := loadPool(s.Guest, filepath.Join(s.Cache, "wasmtime-pool-"+strings.ReplaceAll(s.Guest.Name, " ", "-")))
	if err != nil {
		return nil, err
	}
	r := &pooledRunner{guest: s.Guest, pool: p}
	for range s.Callers {
		r.rooms = append(r.rooms, pool.NewRoom(roomSize))
	}
	return r, nil
}

// loadPool returns the module from a file of a former run, or compiles it and writes the file.
func loadPool(g *guest.Guest, file string) (*pool.Pool, error) {
	o := pool.Options{Args: g.Args, Env: g.Env, Memory: cmp.Or(g.Memory, 128<<20)}
	source, err := os.Stat(g.Wasm)
	if err != nil {
		return nil, err
	}
	if made, err := os.Stat(file); err == nil && made.ModTime().After(source.ModTime()) {
		if saved, err := os.ReadFile(file); err == nil {
			if p, err := pool.Open(saved, true, o); err == nil {
				return p, nil
			}
		}
	}
	module, err := os.ReadFile(g.Wasm)
	if err != nil {
		return nil, err
	}
	p, err := pool.Open(module, false, o)
	if err != nil {
		return nil, err
	}
	saved, err := p.Save()
	if err != nil {
		return nil, err
	}
	return p, os.WriteFile(file, saved, 0o600)
}

// Run implements Runner.
func (r *pooledRunner) Run(_ context.Context, caller int, body []byte) ([]byte, error) {
	reply, err := r.pool.Call(r.rooms[caller], body)
	if err != nil {
		return nil, err
	}
	return reply, check(r.guest, body, reply)
}

// Close implements Runner.
func (r *pooledRunner) Close() error {
	r.pool.Close()
	for _, room := range r.rooms {
		room.Free()
	}
	return nil
}
