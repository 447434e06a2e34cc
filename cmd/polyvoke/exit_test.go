package main

import "testing"

func TestExitOfProcess(t *testing.T) {
	for in, want := range map[int]int{0: 0, 1: 1, 255: 255, 256: 255, 1 << 30: 255} {
		if got := exitOfProcess(in); got != want {
			t.Errorf("exitOfProcess(%d) = %d, want %d", in, got, want)
		}
	}
}
