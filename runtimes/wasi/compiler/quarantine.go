package compiler

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// quarantineFolder has the names of modules that a child did not survive.
const quarantineFolder = "quarantine"

// quarantineTime is how long such a module is refused without another try.
const quarantineTime = 24 * time.Hour

// verdict says why a module is in quarantine, and under which limits it came there.
type verdict struct {
	Reason  string        `json:"reason"`
	Time    time.Time     `json:"time"`
	Timeout time.Duration `json:"timeout"` // nanoseconds
	Memory  uint64        `json:"memory"`  // bytes
}

// holds reports whether the verdict still counts, under limits as they are now.
func (v *verdict) holds(timeout time.Duration, memory uint64, now time.Time) bool {
	age := now.Sub(v.Time) // negative after the clock was wrong
	return age >= 0 && age < quarantineTime && timeout <= v.Timeout && memory <= v.Memory
}

// quarantinePath returns where the verdict on a key is.
func (p *Compiler) quarantinePath(key string) string {
	return filepath.Join(p.dir, quarantineFolder, key+".json")
}

// quarantined returns the reason why a module is not to be compiled again, or nil.
func (p *Compiler) quarantined(key string, now time.Time) error {
	var v verdict
	err := readJSON(p.quarantinePath(key), &v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		p.log.Warn("a refused module is tried again: the reason for its refusal cannot be read", "err", err)
	} else if v.holds(p.timeout, p.memory, now) {
		return &runtimes.ModuleError{Reason: v.Reason}
	}
	_ = os.Remove(p.quarantinePath(key)) // it does not hold next time either
	return nil
}

// quarantine keeps a module from being compiled again. If that cannot be written, it is.
func (p *Compiler) quarantine(key, reason string, now time.Time) {
	_ = writeJSON(p.quarantinePath(key), verdict{Reason: reason, Time: now, Timeout: p.timeout, Memory: p.memory})
}
