package programs

import (
	"reflect"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// notInKey are the fields of runtimes.Options that are no part of a key, and why a program may be shared all the same.
var notInKey = map[string]string{
	"Renews": "interpreters set it, below the cache",
	"Setup":  "replays set it, which run one program",
	"Line":   "it says how soon there is a program, not which",
}

// notInOptions are the fields of a manifest that are no part of the options, and what they are for instead.
var notInOptions = map[string]string{
	"Signature":          "it says who vouches for the version, and is checked before the module is compiled",
	"Version":            "the registry counts",
	"Size":               "for people",
	"Created":            "for people",
	"Language":           "for people",
	"Replies":            "read when a process has ended",
	"Needs":              "what an invoker must know",
	"Triggers":           "subjects, not processes",
	"WebSocket":          "connections, not processes",
	"Job":                "of jobs, which are calls",
	"AllowLoop":          "read at deployment",
	"Limits.Timeout":     "of a call",
	"Limits.Input":       "of a call",
	"Limits.Output":      "of a call",
	"Limits.Concurrency": "of calls together",
	"Limits.Queue":       "of calls together",
}

// values are what fields are set to that do not take any value.
var values = map[string]any{
	"Meta":   protocol.MetaEnv,
	"HTTP":   []protocol.HTTPRoute{{Request: protocol.HTTPCGI}},
	"Grants": []protocol.Grant{{KV: "a"}},
	"Mounts": []runtimes.Mount{{Path: "/a", Tree: files.Static(files.Map{})}},
}

// eachField calls do with each field of the struct that v points to, and of those in it that are called in, after it
// was set to something that is not its zero value. Afterwards it is zero again.
func eachField(t *testing.T, v reflect.Value, prefix, in string, do func(name string)) {
	t.Helper()
	for i := range v.Elem().NumField() {
		field, name := v.Elem().Field(i), prefix+v.Elem().Type().Field(i).Name
		if name == in {
			eachField(t, field.Addr(), name+".", "", do)
			continue
		}
		if value, ok := values[name]; ok {
			field.Set(reflect.ValueOf(value))
		} else {
			set(t, name, field)
		}
		do(name)
		field.SetZero()
	}
}

// set gives a field a value that is not its zero value.
func set(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(1)
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				set(t, name, f)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		t.Fatalf("%s has a type that this test does not know: %s", name, v.Type())
	}
}

// TestKeyHasEveryOption changes one field of the options after the other. Each must change the key, or be named in
// notInKey: else two functions that differ in it would share a program.
func TestKeyHasEveryOption(t *testing.T) {
	var o runtimes.Options
	zero, unseen := KeyOf("x", o), len(notInKey)
	eachField(t, reflect.ValueOf(&o), "", "", func(name string) {
		_, exempt := notInKey[name]
		if same := KeyOf("x", o) == zero; same != exempt {
			t.Errorf("Options.%s: the key stays the same: %t, want %t: see KeyOf and notInKey", name, same, exempt)
		}
		if exempt {
			unseen--
		}
	})
	if unseen != 0 {
		t.Error("notInKey names fields that Options does not have")
	}
	if KeyOf("y", o) == zero {
		t.Error("two modules have one key")
	}
}

// TestOptionsHaveAllOfManifest changes one field of a manifest after the other. Each must change the options, or the
// module, or be named in notInOptions: else a process would not get what its manifest says.
func TestOptionsHaveAllOfManifest(t *testing.T) {
	var f protocol.Function
	key := func() Key { return KeyOf(f.Digest, Options(&f)) }
	zero, unseen := key(), len(notInOptions)
	eachField(t, reflect.ValueOf(&f), "", "Limits", func(name string) {
		_, exempt := notInOptions[name]
		if same := key() == zero; same != exempt {
			t.Errorf("Function.%s: the options stay the same: %t, want %t: see Options and notInOptions", name, same, exempt)
		}
		if exempt {
			unseen--
		}
	})
	if unseen != 0 {
		t.Error("notInOptions names fields that Function does not have")
	}
}

// TestOptions checks the options of a manifest that has nothing but a name, and of one that has everything.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		f    protocol.Function
		want runtimes.Options
	}{
		{protocol.Function{Name: "a"}, runtimes.Options{Stack: uint64(protocol.DefaultStack), Args: []string{"a"}}},
		{
			protocol.Function{Name: "b", Runtime: "lua@3", Start: "fresh", Meta: "env", Args: []string{"x", "y"},
				Env: map[string]string{"Z": "1", "A": "=", "M": ""}, Limits: protocol.Limits{Memory: 1, Stack: 2, Fuel: 3}},
			runtimes.Options{Memory: 1, Stack: 2, Fuel: 3, Start: "fresh", Interpreter: "lua@3", Varies: true,
				Args: []string{"b", "x", "y"}, Env: []string{"A==", "M=", "Z=1"}},
		},
		{
			protocol.Function{Name: "c", Optimize: new(int)},
			runtimes.Options{Stack: uint64(protocol.DefaultStack), Optimize: runtimes.OptimizeNone, Args: []string{"c"}},
		},
	} {
		if got := Options(&c.f); !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %+v\nwant %+v", got, c.want)
		}
	}
}

// TestKeys checks that lists of strings which look alike tell programs apart.
func TestKeys(t *testing.T) {
	seen := map[Key]int{}
	for i, o := range []runtimes.Options{
		{}, {Args: []string{"a"}}, {Args: []string{"a", "b"}}, {Args: []string{"ab"}},
		{Args: []string{"a\x00b"}}, {Args: []string{"a\x01b"}},
		{Args: []string{""}}, {Args: []string{"", ""}}, {Env: []string{"a"}}, {Args: []string{"a"}, Env: []string{"a"}},
	} {
		key := KeyOf("x", o)
		if other, ok := seen[key]; ok || key != KeyOf("x", o) || key == KeyOf("y", o) {
			t.Errorf("options %d have the key of %d, or not always the same", i, other)
		}
		seen[key] = i
	}
}
