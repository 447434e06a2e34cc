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
	code    string   // the body of _start after its locals, without the end
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
	b += section(3, "\x01\x00") + section(5, "\x01\x00"+uleb(max(a.pages, 1)))
	b += section(7, "\x02"+text("_start")+"\x00"+uleb(entry)+text("memory")+"\x02\x00")
	if a.start {
		b += section(8, uleb(entry))
	}
	body := "\x01" + uleb(cmp.Or(a.locals, 2)) + "\x7f" + a.code + "\x0b"
	b += section(10, "\x01"+uleb(len(body))+body)
	if a.data != "" {
		b += section(11, "\x01"+a.data)
	}
	return []byte(b)
}

// signature returns the types of the functions used here.
func signature(name string) string {
	params := map[string]int{"proc_exit": 1, "fd_write": 4, "poll_oneoff": 4, "sched_yield": 0, "sock_accept": 3, "sock_shutdown": 2, "random_get": 2}
	t := "\x60" + uleb(params[name]) + strings.Repeat("\x7f", params[name])
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
