// Package pool is wasmtime's C API with the pooling allocator, which wasmtime's Go package does not
// offer. The library is the one that this package ships: importing it links it.
package pool

// #include <stdlib.h>
// #include "pool.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	_ "github.com/bytecodealliance/wasmtime-go/v37" // for its library
)

// Options are what a program gets in each call.
type Options struct {
	Args, Env []string // Env has NAME=value entries
	Memory    uint64   // the most a memory may have, in bytes
}

// Pool is a compiled module. Call may be called from several goroutines.
type Pool struct {
	pool    *C.pool
	options *C.pool_options
}

// Open compiles a module, or loads what Save has returned.
func Open(module []byte, saved bool, o Options) (*Pool, error) {
	p := &Pool{options: o.toC()}
	var loaded C.int
	if saved {
		loaded = 1
	}
	var message *C.char
	p.pool = C.pool_open((*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(module))), C.size_t(len(module)), loaded,
		p.options, &message)
	if p.pool == nil {
		return nil, problem(message)
	}
	return p, nil
}

// toC copies the options to C's memory, where they stay to the end of the process.
func (o Options) toC() *C.pool_options {
	c := (*C.pool_options)(C.calloc(1, C.sizeof_pool_options))
	var names, values []string
	for _, e := range o.Env {
		k, v, _ := strings.Cut(e, "=")
		names, values = append(names, k), append(values, v)
	}
	c.argc, c.args = C.size_t(len(o.Args)), list(o.Args)
	c.envc, c.names, c.values = C.size_t(len(names)), list(names), list(values)
	c.memory = C.uint64_t(o.Memory)
	return c
}

// list copies strings to C's memory.
func list(s []string) **C.char {
	out := (**C.char)(C.calloc(C.size_t(len(s)+1), C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	for i, x := range s {
		unsafe.Slice(out, len(s))[i] = C.CString(x)
	}
	return out
}

// problem turns a message of C into an error, and frees it.
func problem(message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(message))
	return fmt.Errorf("wasmtime: %s", C.GoString(message))
}

// Save returns the compiled module.
func (p *Pool) Save() ([]byte, error) {
	var n C.size_t
	var message *C.char
	data := C.pool_save(p.pool, &n, &message)
	if data == nil {
		return nil, problem(message)
	}
	defer C.pool_saved(data, n)
	return C.GoBytes(unsafe.Pointer(data), C.int(n)), nil
}

// Room is the memory for one caller's bodies, outside Go's.
type Room struct {
	body *C.pool_body
	in   *C.uint8_t
	size int
}

// NewRoom returns room for bodies of up to size bytes each way. It must be freed.
func NewRoom(size int) *Room {
	r := &Room{body: (*C.pool_body)(C.calloc(1, C.sizeof_pool_body)), size: size}
	r.in = (*C.uint8_t)(C.malloc(C.size_t(size)))
	r.body.out = (*C.uint8_t)(C.malloc(C.size_t(size)))
	r.body.in, r.body.out_cap = r.in, C.size_t(size)
	return r
}

// Free frees the room.
func (r *Room) Free() {
	C.free(unsafe.Pointer(r.in))
	C.free(unsafe.Pointer(r.body.out))
	C.free(unsafe.Pointer(r.body))
}

// Call runs the program once in a store and an instance of its own. The reply is good until the room's
// next use.
func (p *Pool) Call(r *Room, body []byte) ([]byte, error) {
	if len(body) > r.size {
		return nil, errors.New("the body is larger than its room")
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(r.in)), r.size), body)
	r.body.in_len, r.body.in_at, r.body.out_len = C.size_t(len(body)), 0, 0
	if err := problem(C.pool_call(p.pool, r.body)); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(r.body.out)), int(r.body.out_len)), nil
}

// Close frees the module. Calls must have ended.
func (p *Pool) Close() { C.pool_close(p.pool) }
