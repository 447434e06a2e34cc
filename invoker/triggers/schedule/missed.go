package schedule

import (
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// grace is how late a run may be and still be on time: a server looks at what is due four times a second, and a busy
// one less often.
const grace = 5 * time.Second

// MaxMissed is how many runs are made up for at most, the latest ones, when all are to be.
const MaxMissed = 1000

// due returns for which times there are jobs, when the message for a time comes now, and how many times are left
// without one; those beyond MaxMissed count as one. A time that is not older than grace has its job whatever the
// policy.
func (c *chain) due(at, now time.Time) (times []time.Time, left uint64) {
	if !now.After(at) { // the clock of the server is before ours
		return []time.Time{at}, 0
	}
	times, more := c.schedule.Last(at.Add(-time.Second), now, MaxMissed)
	if more {
		left++
	}
	if now.Sub(at) <= grace {
		return times, left
	}
	first := len(times) - 1 // of those that have a job
	switch c.trigger.Missed {
	case protocol.MissedAll:
		first = 0
	case protocol.MissedSkip:
		for first = 0; first < len(times) && now.Sub(times[first]) > grace; {
			first++
		}
	}
	return times[first:], left + uint64(first)
}
