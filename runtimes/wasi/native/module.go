package native

import (
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Strip has the engine forget the bytes that a module was compiled from, which are as long as the module and of no
// use any more. Nobody else may use the module yet. It does nothing if they cannot be seen.
func Strip(compiled wazero.CompiledModule) {
	module := field(reflect.ValueOf(compiled), "module")
	code := field(module, "CodeSection")
	if code.Kind() != reflect.Slice || code.Len() == 0 || code.Type().Elem().Kind() != reflect.Struct {
		return
	}
	for _, name := range []string{"Body", "LocalTypes"} {
		f, ok := code.Type().Elem().FieldByName(name)
		if !ok || f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Uint8 {
			return
		}
		for i := range code.Len() {
			*(*[]byte)(unsafe.Add(unsafe.Pointer(code.Index(i).UnsafeAddr()), f.Offset)) = nil
		}
	}
}

// Code returns the native code of an instance's module, or nil if it cannot be seen. All instances of modules with
// the same bytes have the same.
func Code(instance api.Module) []byte {
	engine := field(reflect.ValueOf(instance), "Engine")
	if engine.Kind() != reflect.Interface {
		return nil
	}
	code := field(field(field(engine.Elem(), "parent"), "executables"), "executable")
	if code.Kind() != reflect.Slice || code.Type().Elem().Kind() != reflect.Uint8 {
		return nil
	}
	return code.Bytes()
}

// field returns a field of a struct, or of the one that v points to. It is the zero Value if there is none.
func field(v reflect.Value, name string) reflect.Value {
	if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}
