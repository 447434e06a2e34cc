//go:build !linux && !darwin

package exhausted

// Limit returns 0: there is no limit of descriptors that could be known.
func Limit() int { return 0 }

// addresses returns 0, since there is no limit of them.
func addresses() uint64 { return 0 }

// mappings returns zeros: nobody counts them.
func mappings() (have, most int) { return 0, 0 }
