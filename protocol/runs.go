package protocol

import (
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/protocol/schedule"
)

// ParseSchedule returns when a trigger with a schedule runs. The error says what to write instead.
func (t Trigger) ParseSchedule() (schedule.Schedule, error) {
	return schedule.Parse(t.Schedule, t.Zone)
}

// NextRuns returns the next n times, behind after, at which the trigger runs its function, in its own zone. They are
// fewer if it has no more, and none if it has no schedule.
func (t Trigger) NextRuns(after time.Time, n int) []time.Time {
	s, err := t.ParseSchedule()
	if err != nil {
		return nil
	}
	var runs []time.Time
	for range n {
		if after = s.Next(after); after.IsZero() {
			break
		}
		runs = append(runs, after)
	}
	return runs
}

// RunID returns the id of the job of a run: whoever makes it, it is one job.
func (t Trigger) RunID(at time.Time) string { return fmt.Sprintf("_t%s-%d", t.SourceID(), at.Unix()) }
