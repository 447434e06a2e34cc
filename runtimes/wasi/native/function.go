package native

import (
	"unsafe"

	"github.com/tetratelabs/wazero/api"
)

// Function is an exported function of an instance, as the engine sees it. Of the zero value nothing can be reached. One
// goroutine at a time uses a Function.
type Function struct {
	stack *[]byte         // that calls run upon
	sp    *unsafe.Pointer // where it was when the guest last called the host
}

// Of returns the engine's side of a function.
func Of(f api.Function) Function {
	stack, sp := callStack(f)
	return Function{stack, sp}
}

// StackSize returns how many bytes of native stack the engine keeps for the function. It keeps what a call has made it
// grow to. The result is 0 if that cannot be seen.
func (f Function) StackSize() int {
	if f.stack == nil {
		return 0
	}
	return len(*f.stack)
}

// StackUsed returns how many bytes of native stack were in use when the guest last called the host: all, if that
// cannot be seen.
func (f Function) StackUsed() int {
	size := f.StackSize()
	if f.sp == nil || size == 0 {
		return size
	}
	spare := uintptr(*f.sp) - uintptr(unsafe.Pointer(unsafe.SliceData(*f.stack)))
	if spare > uintptr(size) { // the guest was nowhere
		return size
	}
	return size - int(spare)
}

// Quiet is called by a host function that is about to end the call by a panic that needs no stack trace.
// The engine makes one for each panic, also for an exit with a code, which takes longer than a short call does; and
// none if the guest was nowhere.
func (f Function) Quiet() {
	if f.sp != nil {
		*f.sp = nil
	}
}
