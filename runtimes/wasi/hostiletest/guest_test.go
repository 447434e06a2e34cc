package hostiletest

import (
	"encoding/binary"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// guest is a module that a test puts together. The zero value with one function is a command.
type guest struct {
	imports   []string   // functions of WASI preview1: functions 0, 1 and so on
	functions []function // the first, behind the imports, is _start
	types     []string   // types besides those of functions, for blocks and indirect calls, such as "ii>i"
	pages     int        // of memory, at first; 0 means 1
	maximum   int        // pages of memory at most; 0 means no maximum
	tables    []string   // a reference type and limits each; table 0 is there in any case if a function is in it
	tabled    bool       // table 0 holds all functions, by their index
	tags      int        // exceptions without parameters
	globals   []string   // type, mutability and initial value
	elements  []string   // segments besides the one of table 0
	data      []string   // segments
	start     bool       // the start section names _start too
	exports   []string   // besides _start and memory: name, kind and index
}

// function is a function of a guest.
type function struct {
	typ    string // as letters: "" is () -> (), "iI>v" is (i32, i64) -> (v128)
	locals string // encoded, see locals; "" means four i32
	code   string // without the last end
}

// entry is a guest's only function.
func entry(code string) []function { return []function{{code: code}} }

// build returns the binary.
func (g guest) build() []byte {
	t := &typeList{}
	t.index("") // type 0 is () -> ()
	for _, typ := range g.types {
		t.index(typ)
	}
	var imports, functions, code []string
	for _, name := range g.imports {
		imports = append(imports, text(preview1.ModuleName)+text(name)+"\x00"+number(t.index(typeOf(name))))
	}
	for _, f := range g.functions {
		functions = append(functions, number(t.index(f.typ)))
		body := f.locals
		if body == "" {
			body = locals(4, i32Type)
		}
		body += f.code + end
		code = append(code, text(body))
	}
	entry := len(g.imports)
	exports := append([]string{text("_start") + "\x00" + number(entry), text("memory") + "\x02\x00"}, g.exports...)
	tables, elements := g.tables, g.elements
	if g.tabled {
		n := entry + len(g.functions)
		tables = append([]string{"\x70\x00" + number(n)}, tables...)
		elements = append([]string{"\x00" + i32(0) + end + list(numbers(n))}, elements...)
	}
	b := "\x00asm\x01\x00\x00\x00" +
		part(1, t.list) + part(2, imports) + part(3, functions) + part(4, tables) + part(5, []string{g.limits()}) +
		part(13, many(g.tags, "\x00\x00")) + part(6, g.globals) + part(7, exports)
	if g.start {
		b += section(8, number(entry))
	}
	b += part(9, elements)
	if len(g.data) > 0 {
		b += section(12, number(len(g.data)))
	}
	return []byte(b + part(10, code) + part(11, g.data))
}

// limits returns those of the memory.
func (g guest) limits() string {
	if g.maximum > 0 {
		return "\x01" + number(max(g.pages, 1)) + number(g.maximum)
	}
	return "\x00" + number(max(g.pages, 1))
}

// typeList is the types of a guest.
type typeList struct {
	list []string
	at   map[string]int
}

// index returns the index of a type.
func (t *typeList) index(typ string) int {
	if i, ok := t.at[typ]; ok {
		return i
	}
	if t.at == nil {
		t.at = map[string]int{}
	}
	params, results, _ := strings.Cut(typ, ">")
	t.list = append(t.list, "\x60"+text(values(params))+text(values(results)))
	t.at[typ] = len(t.list) - 1
	return len(t.list) - 1
}

// values encodes types that are given as letters.
func values(letters string) string {
	types := strings.NewReplacer("i", "\x7f", "I", "\x7e", "f", "\x7d", "F", "\x7c", "v", "\x7b", "r", "\x70")
	return types.Replace(letters)
}

// typeOf returns the type of a function of WASI.
func typeOf(name string) string {
	for _, f := range preview1.Functions() {
		if f.Name == name {
			return strings.NewReplacer("\x7f", "i", "\x7e", "I").Replace(string(f.Params) + ">" + string(f.Results))
		}
	}
	panic("there is no function " + name)
}

// The parts of a binary.

const i32Type, i64Type, v128Type = 0x7f, 0x7e, 0x7b

// locals encodes n locals of one type.
func locals(n int, typ byte) string { return "\x01" + number(n) + string([]byte{typ}) }

// section returns a section.
func section(id byte, body string) string { return string([]byte{id}) + text(body) }

// part returns a section with a list, or nothing if that is empty.
func part(id byte, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return section(id, list(items))
}

// list returns items behind their number.
func list(items []string) string { return number(len(items)) + strings.Join(items, "") }

// many returns n times the same item.
func many(n int, item string) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = item
	}
	return items
}

// numbers returns those from 0 to n-1.
func numbers(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = number(i)
	}
	return items
}

// text returns bytes behind their number.
func text(s string) string { return number(len(s)) + s }

// number returns an unsigned LEB128 number.
func number(n int) string { return string(leb.AppendU32(nil, uint32(n))) }

// words returns 32-bit numbers as they are in memory.
func words(n ...uint32) string {
	var b []byte
	for _, v := range n {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(b)
}

// active returns a data segment.
func active(at int, b string) string { return "\x00" + i32(at) + end + text(b) }

// passive returns a data segment that is used by memory.init only.
func passive(b string) string { return "\x01" + text(b) }

// Instructions.

const (
	loop      = "\x03\x40"
	block     = "\x02\x40"
	otherwise = "\x05"
	end       = "\x0b"
	again     = "\x0c\x00" // br 0
	drop      = "\x1a"
	add       = "\x6a"
	trap      = "\x00"
	throw     = "\x08\x00"
	load      = "\x28\x02\x00"
	store     = "\x36\x02\x00"
	grow      = "\x40\x00"
	fill      = "\xfc\x0b\x00"
	copyUp    = "\xfc\x0a\x00\x00"
	catchAll  = "\x1f\x40\x01\x02\x00" // try_table that goes on behind the block around it, whatever is thrown
	v128      = "\xfd\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
)

// i32 pushes a number.
func i32(v int) string { return "\x41" + string(leb.AppendSigned(nil, int64(int32(v)))) }

// i64 pushes a number.
func i64(v int64) string { return "\x42" + string(leb.AppendSigned(nil, v)) }

func get(n int) string { return "\x20" + number(n) }
func set(n int) string { return "\x21" + number(n) }
func tee(n int) string { return "\x22" + number(n) }

// call calls a function with numbers, int for i32 and int64 for i64, and with what pieces of code push.
func call(f int, args ...any) string {
	code := ""
	for _, a := range args {
		switch a := a.(type) {
		case int:
			code += i32(a)
		case int64:
			code += i64(a)
		case string:
			code += a
		}
	}
	return code + "\x10" + number(f)
}

// tailCall calls a function in place of the one that runs.
func tailCall(f int) string { return "\x12" + number(f) }

// indirect calls a function of type 0 through table 0.
func indirect(f int) string { return i32(f) + "\x11\x00\x00" }

// forever repeats code.
func forever(code string) string { return loop + code + again + end }

// times repeats code n times. It counts in a local that must be 0.
func times(n, local int, code string) string {
	return loop + code + get(local) + i32(1) + add + tee(local) + i32(n) + "\x49\x0d\x00" + end
}

// rep is strings.Repeat with the number first, as one would say it.
func rep(n int, code string) string { return strings.Repeat(code, n) }

// chain returns functions each of which but the last is made from the index of the next. first is the index of the
// first.
func chain(n, first int, f func(next int) string, last string) (c []function) {
	for i := range n - 1 {
		c = append(c, function{code: f(first + i + 1)})
	}
	return append(c, function{code: last})
}
