//go:build !linux

package memory

import "errors"

// Spill does nothing but on Linux.
func Spill([]byte, string) error { return errors.ErrUnsupported }

// Unload does nothing but on Linux.
func Unload([]byte) {}
