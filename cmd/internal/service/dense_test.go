package service

import (
	"runtime/debug"
	"testing"
)

func TestDenseCollector(t *testing.T) {
	before := debug.SetGCPercent(400)
	defer debug.SetGCPercent(before)
	percent := func() int {
		n := debug.SetGCPercent(1)
		debug.SetGCPercent(n)
		return n
	}
	one, two := DenseCollector(), DenseCollector()
	if one(); percent() != 100 {
		t.Errorf("while something goes on, it is %d", percent())
	}
	two()
	if two(); percent() != 400 {
		t.Errorf("afterwards it is %d", percent())
	}
	debug.SetGCPercent(50)
	done := DenseCollector()
	if percent() != 50 {
		t.Errorf("where less is wanted, it is %d", percent())
	}
	if done(); percent() != 50 {
		t.Errorf("and afterwards %d", percent())
	}
}
