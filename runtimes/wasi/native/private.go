//go:build !portable

package native

import (
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Everything that package native knows of the engine's inside is in this file. private_portable.go is the same for a
// build that knows nothing. README.md says what each name is for; TestPrivate checks them one by one.

// callStack returns where the engine keeps the stack of a function and, while the guest is with the host, the stack
// pointer. Each is nil if it cannot be seen.
func callStack(f api.Function) (stack *[]byte, sp *unsafe.Pointer) {
	v := reflect.Indirect(reflect.ValueOf(f))
	if v.Kind() != reflect.Struct || !v.CanAddr() {
		return nil, nil
	}
	s := v.FieldByName("stack")
	if !isBytes(s) {
		return nil, nil
	}
	if p := field(field(v, "execCtx"), "stackPointerBeforeGoCall"); p.Kind() == reflect.Pointer {
		sp = (*unsafe.Pointer)(unsafe.Pointer(p.UnsafeAddr()))
	}
	return (*[]byte)(unsafe.Pointer(s.UnsafeAddr())), sp
}

// snapshotStack returns the stack in a snapshot, and the part of it that was in use. The result is false if they
// cannot be seen.
func snapshotStack(s experimental.Snapshot) (stack, live []byte, ok bool) {
	v := reflect.ValueOf(s)
	kept, sp, top := field(v, "stack"), field(v, "sp"), field(v, "top")
	if !isBytes(kept) || sp.Kind() != reflect.Uintptr || top.Kind() != reflect.Uintptr {
		return nil, nil, false
	}
	stack = kept.Bytes()
	begin := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(stack))))
	from, to := sp.Uint()-begin, top.Uint()-begin
	if from > to || to > uint64(len(stack)) {
		return nil, nil, false
	}
	return stack, stack[from:to], true
}

// contents returns what native code works with of an instance, its globals among it, or nil if that cannot be seen.
func contents(instance api.Module) []uint64 {
	opaque := field(element(field(reflect.ValueOf(instance), "Engine")), "opaque")
	if !isBytes(opaque) || opaque.Len() == 0 {
		return nil
	}
	return unsafe.Slice((*uint64)(opaque.UnsafePointer()), opaque.Len()/8)
}

// executable returns the native code of an instance's module, or nil if it cannot be seen.
func executable(instance api.Module) []byte {
	engine := element(field(reflect.ValueOf(instance), "Engine"))
	code := field(field(field(engine, "parent"), "executables"), "executable")
	if !isBytes(code) {
		return nil
	}
	return code.Bytes()
}

// bodies returns where the engine keeps the code of a module's functions and the types of their locals, or nil if that
// cannot be seen. The latter are not bytes; but any slice is three words, so it can be set to nil as one of bytes.
func bodies(compiled wazero.CompiledModule) (list []*[]byte) {
	code := field(field(reflect.ValueOf(compiled), "module"), "CodeSection")
	if code.Kind() != reflect.Slice || code.Type().Elem().Kind() != reflect.Struct {
		return nil
	}
	for _, name := range []string{"Body", "LocalTypes"} {
		f, ok := code.Type().Elem().FieldByName(name)
		if !ok || f.Type.Kind() != reflect.Slice {
			return nil
		}
		for i := range code.Len() {
			list = append(list, (*[]byte)(unsafe.Add(unsafe.Pointer(code.Index(i).UnsafeAddr()), f.Offset)))
		}
	}
	return list
}

// field returns a field of a struct, or of the one that v points to. It is the zero Value if there is none.
func field(v reflect.Value, name string) reflect.Value {
	if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}

// element returns what is in an interface, or the zero Value if v is none.
func element(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Interface {
		return reflect.Value{}
	}
	return v.Elem()
}

// isBytes reports whether v is a slice of bytes.
func isBytes(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
}
