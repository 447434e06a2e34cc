package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Who runs when a process dies need not be guilty: others ran too, or an operator used kill -9. So there are points:
//
//	the process ...                     | ran alone, and no    | ran alone | ran with
//	                                    | call of it had ended |           | others
//	crashed                             | 6                    | 3         | 2
//	was killed, and memory was short    | 3                    | 3         | 2
//	was killed                          | 3                    | none: it is cleared if calls of it had ended, or 2
//
// Six are guilty. So a function that crashes the process whenever it is called is out at the next start;
// a kill -9, twice and each time in a function's first call, is what it takes to be taken for guilty without being it.
//
// With others means: with others that are as suspicious. Those that have points and no call
// that has ended since come first, then those with no call that has ended. And because suspects run one at a time until
// a call of theirs has ended, the second time finds one alone.
const guilty = 6

// memoryOfBlame is how long points count, and how long a module that is guilty is refused.
const memoryOfBlame = time.Hour

// points returns what a module gets that ran when a process died.
func (e ending) points(alone, worked bool) int {
	switch {
	case e == killed && worked:
		return 0
	case e == crashed && alone && !worked:
		return guilty
	case alone:
		return guilty / 2
	}
	return guilty / 3
}

// suspects returns those of the modules in a record that the ending may be due to, the most suspicious ones only.
func (e ending) suspects(all []entry, known suspects) []entry {
	var ran []entry
	for _, x := range all {
		if x.running || e != killed { // loading takes long; a kill meanwhile means nothing
			ran = append(ran, x)
		}
	}
	for _, better := range []func(entry) bool{
		func(x entry) bool { return !x.worked && known[x.digest].Points > 0 },
		func(x entry) bool { return !x.worked },
	} {
		if slices.ContainsFunc(ran, better) {
			return slices.DeleteFunc(ran, func(x entry) bool { return !better(x) })
		}
	}
	return ran
}

// suspect is what there is against a module.
type suspect struct {
	Points int       `json:"points"`
	Time   time.Time `json:"time"`            // of the last of them
	Until  time.Time `json:"until,omitzero"`  // when it may be tried again, if it is guilty
	Reason string    `json:"reason,omitzero"` // why it is guilty
}

// barred tells whether it is refused.
func (s *suspect) barred(now time.Time) bool { return now.Before(s.Until) }

// refusal is the error for a call.
func (s *suspect) refusal() error {
	return protocol.Errorf(protocol.CodeRefused, "", "the module is in quarantine on this invoker until %s: %s; to have it tried at once, deploy it again",
		s.Until.UTC().Format(time.RFC3339), s.Reason)
}

// suspects has them by the digest of the module.
type suspects map[string]suspect

// charge gives points, and returns who is guilty now.
func (s suspects) charge(how ending, ran []entry, now time.Time) (out []string) {
	for _, x := range ran {
		points := how.points(len(ran) == 1, x.worked)
		if points == 0 {
			delete(s, x.digest)
			continue
		}
		it := s[x.digest]
		it.Points, it.Time = it.Points+points, now
		if it.Points >= guilty {
			it.Until, it.Reason = now.Add(memoryOfBlame), fmt.Sprintf("it was running when the invoker's process %s", how)
			out = append(out, x.digest)
		}
		s[x.digest] = it
	}
	return out
}

// expire forgets what is too long ago, or yet to come because the clock was wrong.
func (s suspects) expire(now time.Time) {
	for d, it := range s {
		if age := now.Sub(it.Time); age < 0 || age >= memoryOfBlame {
			delete(s, d)
		}
	}
}

// suspectsFile is where suspects are in the folder.
const suspectsFile = "suspects.json"

// readSuspects reads the suspects. If that is not possible there are none.
func readSuspects(dir string) suspects {
	out := suspects{}
	b, err := os.ReadFile(filepath.Join(dir, suspectsFile))
	if err != nil || json.Unmarshal(b, &out) != nil || out == nil {
		return suspects{}
	}
	return out
}

// write replaces the file, or removes it if there are none.
func (s suspects) write(dir string) error {
	path := filepath.Join(dir, suspectsFile)
	if len(s) == 0 {
		if err := os.Remove(path); !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
