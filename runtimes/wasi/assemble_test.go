package wasi_test

import (
	"cmp"
	"strings"
)

// assembly is a module by parts, for guests that no compiler makes.
type assembly struct {
	imports []string // functions of WASI preview1; the first is function 0
	pages   int      // of memory; 0 means 1
	start   bool     // the start section names the entry too
	data    string   // an active data segment, as the bytes after the count
	locals  int      // of type i32; 0 means 2
	refs    int      // locals behind them that are references to exceptions
	code    string   // the body of _start after its locals, without the end

	table, tags, globals, elements string // the bodies of more sections; empty means none
}

// bytes puts the module together.
func (a assembly) bytes() []byte {
	types := "\x01\x60\x00\x00"
	imports := ""
	for i, name := range a.imports {
		types += signature(name)
		imports += text("wasi_snapshot_preview1") + text(name) + "\x00" + uleb(i+1)
	}
	entry := len(a.imports)
	b := "\x00asm\x01\x00\x00\x00" + section(1, uleb(1+entry)+types[1:])
	if imports != "" {
		b += section(2, uleb(entry)+imports)
	}
	b += section(3, "\x01\x00") + a.optional(4, a.table) + section(5, "\x01\x00"+uleb(max(a.pages, 1)))
	b += a.optional(13, a.tags) + a.optional(6, a.globals)
	b += section(7, "\x02"+text("_start")+"\x00"+uleb(entry)+text("memory")+"\x02\x00")
	if a.start {
		b += section(8, uleb(entry))
	}
	b += a.optional(9, a.elements)
	body := "\x02" + uleb(cmp.Or(a.locals, 2)) + "\x7f" + uleb(a.refs) + "\x69" + a.code + "\x0b"
	b += section(10, "\x01"+uleb(len(body))+body)
	if a.data != "" {
		b += section(11, "\x01"+a.data)
	}
	return []byte(b)
}

// optional returns a section unless it is empty.
func (a assembly) optional(id byte, body string) string {
	if body == "" {
		return ""
	}
	return section(id, body)
}

// signature returns the types of the functions used here: a letter for each parameter, I for an i64.
func signature(name string) string {
	params := map[string]string{
		"proc_exit": "i", "fd_read": "iiii", "fd_write": "iiii", "poll_oneoff": "iiii", "sched_yield": "",
		"sock_accept": "iii", "sock_shutdown": "ii", "random_get": "ii", "clock_time_get": "iIi",
		"args_sizes_get": "ii", "path_open": "iiiiiIIii", "fd_close": "i",
	}
	t := "\x60" + uleb(len(params[name])) + strings.NewReplacer("i", "\x7f", "I", "\x7e").Replace(params[name])
	if name == "proc_exit" {
		return t + "\x00"
	}
	return t + "\x01\x7f"
}

func section(id byte, body string) string { return string(id) + uleb(len(body)) + body }

func text(s string) string { return uleb(len(s)) + s }

// i32 is the instruction i32.const.
func i32(v int) string { return "\x41" + sleb(v) }

func uleb(v int) string {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return string(append(b, byte(v)))
}

func sleb(v int) string {
	var b []byte
	for ; v >= 0x40 || v < -0x40; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return string(append(b, byte(v)&0x7f))
}
