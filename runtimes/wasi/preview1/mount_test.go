package preview1_test

import (
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// TestMounts looks into folders besides /request.
func TestMounts(t *testing.T) {
	s := &preview1.State{Files: tree(folder()), Mounts: []preview1.Mount{
		{Path: "/script", Tree: tree(fstest.MapFS{"main.js": {Data: []byte("1 + 1")}, "lib/a.js": {Data: []byte("2")}})},
		{Path: "/runtime", Tree: tree(fstest.MapFS{})},
	}}
	g := newGuest(t, s)
	for fd, want := range map[uint64]string{3: "/request", 4: "/script", 5: "/runtime", 6: "/"} {
		g.must(t, 0, "fd_prestat_get", fd, at)
		if got := g.memory()[at+4]; int(got) != len(want) {
			t.Errorf("the name of descriptor %d has %d bytes", fd, got)
		}
		g.must(t, 0, "fd_prestat_dir_name", fd, buf, uint64(len(want)))
		if got := string(g.memory()[buf : buf+len(want)]); got != want {
			t.Errorf("descriptor %d is %s, want %s", fd, got, want)
		}
	}
	g.must(t, 8, "fd_prestat_get", 7, at)

	g.put(names, "main.jslib/a.js../main.js")
	g.put(vec, little(buf, 100))
	g.must(t, 0, "path_open", 4, 0, names, 7, 0, 2, 0, 0, at)
	g.must(t, 0, "fd_read", 7, vec, 1, at)
	if got := string(g.memory()[buf : buf+5]); got != "1 + 1" {
		t.Errorf("read %q", got)
	}
	if !s.Changed() {
		t.Error("an open file is no change")
	}
	g.must(t, 0, "fd_close", 7)
	g.must(t, 0, "path_filestat_get", 4, 0, names+7, 8, buf)
	g.must(t, 44, "path_open", 5, 0, names, 7, 0, 2, 0, 0, at)
	g.must(t, 63, "path_open", 4, 0, names+15, 10, 0, 2, 0, 0, at)
	g.must(t, 69, "path_unlink_file", 4, names, 7)
	g.must(t, 0, "fd_readdir", 4, buf, 200, 0, at)
	g.must(t, 0, "fd_filestat_get", 4, buf)
	if s.Changed() || s.Seen() != (preview1.Seen{}) {
		t.Errorf("changed: %t, seen: %+v", s.Changed(), s.Seen())
	}

	g.must(t, 0, "fd_close", 4)
	if !s.Changed() {
		t.Error("a closed folder is no change")
	}
	s.Reset()
	g.ctx = s.Begin(t.Context())
	g.must(t, 0, "path_open", 4, 0, names, 7, 0, 2, 0, 0, at)
}
