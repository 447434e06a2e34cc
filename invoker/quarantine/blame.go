package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Three rules say what follows from the end of a process:
//
//  1. A module is in quarantine if the process crashed, and Go's own report names a goroutine of the module.
//  2. Otherwise, each module that ran is a suspect. Suspects run one at a time, until a call of theirs has ended.
//  3. A suspect is in quarantine if the process crashed again, and nothing but the suspect ran.
//
// A signal that somebody sent, such as kill -9, is not a crash: it makes suspects and no more. A suspect waits for
// others no longer than turnTime, so that suspicion alone refuses nobody.

// memoryOfBlame is how long a module is in quarantine or a suspect.
const memoryOfBlame = time.Hour

// suspect is what there is against a module.
type suspect struct {
	Time   time.Time `json:"time"`            // of the process's end, as it was found
	Reason string    `json:"reason,omitzero"` // why the module is in quarantine; empty: it is not
}

// barred reports whether the module is refused.
func (s *suspect) barred(now time.Time) bool { return s.Reason != "" && s.holds(now) }

// holds reports whether what there is still counts. What is yet to come does not: the clock was wrong.
func (s *suspect) holds(now time.Time) bool {
	age := now.Sub(s.Time)
	return age >= 0 && age < memoryOfBlame
}

// refusal is the error for a call.
func (s *suspect) refusal() error {
	return protocol.Errorf(protocol.CodeRefused, "",
		"the module is in quarantine on this invoker until %s: %s; deploy it again to try it at once",
		s.Time.Add(memoryOfBlame).UTC().Format(time.RFC3339), s.Reason)
}

// suspects has them by the digest of the module.
type suspects map[string]suspect

// judge applies the rules to the end of a process in which modules ran. It returns the module that is in quarantine
// for it, or "".
func (s suspects) judge(c crash, ran []entry, now time.Time) (guilty string) {
	reason := "it crashed the invoker's process"
	guilty = c.module
	if guilty == "" && c.raised && len(ran) == 1 && ran[0].suspect {
		guilty = ran[0].digest
		reason = "it was all that ran when the invoker's process crashed, twice"
	}
	if guilty != "" {
		s[guilty] = suspect{Time: now, Reason: fmt.Sprintf("%s (%s)", reason, protocol.CleanValue(c.reason, 200))}
		return guilty
	}
	for _, x := range ran {
		if it := s[x.digest]; x.digest != overflow.String() && !it.barred(now) {
			s[x.digest] = suspect{Time: now}
		}
	}
	return ""
}

// expire forgets what does not count any more.
func (s suspects) expire(now time.Time) {
	for d, it := range s {
		if !it.holds(now) {
			delete(s, d)
		}
	}
}

// suspectsFile is where suspects are in the folder.
const suspectsFile = "suspects.json"

// maxSuspects bounds the size of that file, in bytes.
const maxSuspects = 4 << 20

// checked is what that file has.
type checked struct {
	CRC      uint32          `json:"crc32c"` // of the suspects as they are written
	Suspects json.RawMessage `json:"suspects"`
}

// castagnoli is the polynomial of all checksums here.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readSuspects reads the suspects. With an error that says why they cannot be read, there are none.
func readSuspects(dir string) (suspects, error) {
	path := filepath.Join(dir, suspectsFile)
	b, err := readMost(path, maxSuspects)
	if errors.Is(err, fs.ErrNotExist) {
		return suspects{}, nil
	}
	var c checked
	out := suspects{}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && crc32.Checksum(c.Suspects, castagnoli) != c.CRC {
		err = errors.New("the checksum is wrong")
	}
	if err == nil {
		err = json.Unmarshal(c.Suspects, &out)
	}
	if err == nil && out == nil {
		err = errors.New("it has no list of suspects")
	}
	if err != nil {
		return suspects{}, fmt.Errorf("%s is damaged, and starts anew: %w", path, err)
	}
	return out, nil
}

// readMost reads a file up to a length in bytes.
func readMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// write replaces the file, or removes it if there are none.
func (s suspects) write(dir string) error {
	path := filepath.Join(dir, suspectsFile)
	if len(s) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(s)
	if err == nil {
		b, err = json.Marshal(checked{crc32.Checksum(b, castagnoli), b})
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
