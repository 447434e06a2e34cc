package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// A function with job.key has a second stream. Jobs leave their queue one by one and become entries of the line of
// their key; the first entry of a line has the turn, which is a message of its own that the stream's consumer gives away.
// What a line needs to go on is always there: whoever puts the first entry there publishes its turn before the job
// leaves its queue, and whoever has done with a turn publishes the next one in its place, by compare-and-set.

// SortWait is how long JetStream waits for a word about a job that is being put into its line.
const SortWait = protocol.Duration(2 * time.Second)

// MakeTurns makes the stream of the lines of a function, or makes the one that exists what the manifest says.
func (s *Store) MakeTurns(ctx context.Context, f *protocol.Function) (Queue, error) {
	var job protocol.Job
	if f.Job != nil {
		job = *f.Job
	}
	job = job.WithDefaults(f.Limits)
	q := Queue{Function: f.Name, Stream: protocol.TurnStream(f.Name), Job: job}
	stream, err := s.js.Stream(ctx, q.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: q.Stream, Description: "polyvoke: jobs of " + f.Name + " by their keys",
			Subjects:  []string{protocol.TurnSubject(f.Name, "*"), protocol.EntrySubject(f.Name, "*", "*")},
			Retention: jetstream.WorkQueuePolicy, MaxMsgsPerSubject: 1, AllowDirect: true, Replicas: s.config.Replicas,
		})
	}
	if err == nil {
		q.Created = stream.CachedInfo().Created
		err = s.makeConsumer(ctx, stream, Consumer, job, protocol.TurnSubject(f.Name, "*"))
	}
	if err == nil {
		err = s.sweepTurns(ctx, f.Name)
	}
	return q, unavailable("make the lines of "+f.Name, err)
}

// mostSwept is how many turns are looked at to find those that are over.
const mostSwept = 500

// sweepTurns removes turns that were acknowledged and are there all the same, since the server was killed before it had
// removed them (nats-server 2.15.2). Nobody would get them again.
func (s *Store) sweepTurns(ctx context.Context, name string) error {
	c, err := s.js.Consumer(ctx, protocol.TurnStream(name), Consumer)
	if err != nil {
		return err
	}
	acked := c.CachedInfo().AckFloor.Stream
	turns, _, err := s.Read(ctx, Range{Stream: protocol.TurnStream(name), Subject: protocol.TurnSubject(name, "*"),
		Most: mostSwept, Bytes: 1 << 20})
	for i := range turns {
		if err == nil && turns[i].Sequence <= acked {
			err = s.Delete(ctx, protocol.TurnStream(name), turns[i].Sequence)
		}
	}
	return err
}

// LookAtTurns returns how many jobs stand in the lines of a function that has no key any more, or is gone, and false if
// there are no lines.
func (s *Store) LookAtTurns(ctx context.Context, name string) (q Queue, left uint64, ok bool, err error) {
	return s.lookAt(ctx, Queue{Function: name, Stream: protocol.TurnStream(name)})
}

// lookAt returns how many messages the stream of q has, and false if it does not exist.
func (s *Store) lookAt(ctx context.Context, q Queue) (_ Queue, left uint64, ok bool, err error) {
	stream, err := s.js.Stream(ctx, q.Stream)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return q, 0, false, nil
	case err != nil:
		return q, 0, false, unavailable("look at "+q.Stream, err)
	}
	q.Created = stream.CachedInfo().Created
	return q, stream.CachedInfo().State.Msgs, true, nil
}

// RemoveTurns removes the lines of a function with all that stands in them. None is no error.
func (s *Store) RemoveTurns(ctx context.Context, name string) error {
	return s.remove(ctx, protocol.TurnStream(name))
}

// remove removes a stream. None is no error.
func (s *Store) remove(ctx context.Context, stream string) error {
	err := s.js.DeleteStream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return unavailable("remove "+stream, err)
}

// Entry is a job that stands in a line.
type Entry struct {
	Function, Line, ID string
}

// mostTurns is how often a turn is tried to be given while others change the same line.
const mostTurns = 100

// Stand puts a job into a line, once, and sees to it that it gets its turn: at once if it is the first there. m is the
// job without a subject. It can be done again. Jobs of a function must be put there one after another.
func (s *Store) Stand(ctx context.Context, e Entry, m *nats.Msg) error {
	known, err := s.park(ctx, e, m)
	if err != nil {
		return unavailable("put a job into the line of its key", err)
	}
	first, ok, err := s.Head(ctx, e.Function, e.Line)
	if err != nil || !ok {
		return err
	}
	if !known && entryID(&first) == e.ID {
		if err := s.giveTurn(ctx, e, &first, 0); !objects.WrongSequence(err) {
			return unavailable("give a job its turn", err)
		}
	}
	return s.mend(ctx, e)
}

// mend sees to it that the first entry of a line has its turn. It has none if that of another job is still there, which
// has left the line already: its holder is about to give it on, or the server was killed before it had removed what was
// acknowledged. Or somebody has deleted what waited for its time, or a turn.
func (s *Store) mend(ctx context.Context, e Entry) error {
	for range mostTurns {
		first, ok, err := s.Head(ctx, e.Function, e.Line)
		if err != nil || !ok {
			return err
		}
		turn, there, err := s.Turn(ctx, e.Function, e.Line)
		if err != nil || there && turn.Header.Get(protocol.HeaderID) == entryID(&first) {
			return err
		}
		if waits, err := s.waits(ctx, e.Function, entryID(&first)); err != nil || waits {
			return err
		}
		err = s.giveTurn(ctx, e, &first, turn.Sequence)
		if !objects.WrongSequence(err) {
			return unavailable("give a job its turn", err)
		}
	}
	return unavailable("give a job its turn", errors.New("others change the line of its key all the time"))
}

// entryID returns the id of a job that stands in a line.
func entryID(m *Message) string {
	_, _, id, _ := protocol.ParseEntrySubject(m.Subject)
	return id
}

// park stores an entry. known says that it is there already.
func (s *Store) park(ctx context.Context, e Entry, m *nats.Msg) (known bool, err error) {
	parked := &nats.Msg{Subject: protocol.EntrySubject(e.Function, e.Line, e.ID), Header: nats.Header{}, Data: m.Data}
	for name, values := range m.Header {
		parked.Header[name] = values
	}
	parked.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{"0"}
	_, err = s.js.PublishMsg(ctx, parked, jetstream.WithRetryAttempts(0))
	if objects.WrongSequence(err) {
		return true, nil
	}
	return false, err
}

// Head returns the first entry of a line. ok is false if nobody stands there.
func (s *Store) Head(ctx context.Context, name, line string) (m Message, ok bool, err error) {
	return s.get(ctx, protocol.TurnStream(name), map[string]any{"seq": 1,
		"next_by_subj": protocol.EntrySubject(name, line, "*")})
}

// Turn returns the job that has the turn in a line. ok is false if there is none, or it waits for its next attempt.
func (s *Store) Turn(ctx context.Context, name, line string) (Message, bool, error) {
	return s.Last(ctx, protocol.TurnStream(name), protocol.TurnSubject(name, line))
}

// Entry returns a job that stands in a line, whichever that is.
func (s *Store) Entry(ctx context.Context, name, id string) (Message, bool, error) {
	return s.Last(ctx, protocol.TurnStream(name), protocol.EntrySubject(name, "*", id))
}

// waits reports whether a job waits for its next attempt, or is among those of its priority.
func (s *Store) waits(ctx context.Context, name, id string) (bool, error) {
	if _, ok, err := s.Ranked(ctx, name, id); err != nil || ok {
		return ok, err
	}
	for _, subject := range []string{protocol.LaterSubject(name, id), protocol.DueSubject(name, id)} {
		if _, ok, err := s.Last(ctx, protocol.StreamLater, subject); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// giveTurn publishes the turn of an entry in place of the turn with a sequence; 0: there is none.
func (s *Store) giveTurn(ctx context.Context, e Entry, entry *Message, expect uint64) error {
	m := &nats.Msg{Subject: protocol.TurnSubject(e.Function, e.Line), Header: nats.Header{}, Data: entry.Data}
	for name, values := range entry.Header {
		if name != jetstream.ExpectedLastSubjSeqHeader {
			m.Header[name] = values
		}
	}
	m.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(expect, 10)}
	_, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return err
}

// HandOn takes the entry of a job that has its outcome out of its line, and gives the turn to the next one there. turn
// is the sequence of its own turn, whose message the next turn replaces; if nobody is left, it stays, to be acknowledged.
// 0 says that the job has left its turn for those of its priority. It can be done again.
func (s *Store) HandOn(ctx context.Context, e Entry, turn uint64) error {
	taken, err := s.Leave(ctx, e)
	if err != nil {
		return err
	}
	first, ok, err := s.Head(ctx, e.Function, e.Line)
	if err != nil || !ok {
		return err
	}
	if !taken { // this may be an old turn, which came again
		if waits, err := s.waits(ctx, e.Function, entryID(&first)); err != nil || waits {
			return err
		}
	}
	if turn == 0 {
		return s.followRanked(ctx, e, &first)
	}
	err = s.giveTurn(ctx, e, &first, turn)
	if objects.WrongSequence(err) { // another turn has taken the place of this one
		return nil
	}
	return unavailable("give the next job of a key its turn", err)
}

// followRanked gives the first entry of a line its turn after a job that has left its own for those of its priority. What
// is left of that may still be there, until the acknowledgement of whoever has moved the job comes.
func (s *Store) followRanked(ctx context.Context, e Entry, first *Message) error {
	for range mostTurns {
		turn, there, err := s.Turn(ctx, e.Function, e.Line)
		if err != nil || there && turn.Header.Get(protocol.HeaderID) != e.ID {
			return err
		}
		if err = s.giveTurn(ctx, e, first, turn.Sequence); !objects.WrongSequence(err) {
			return unavailable("give the next job of a key its turn", err)
		}
	}
	return unavailable("give the next job of a key its turn", errors.New("others change the line of its key all the time"))
}

// Leave takes an entry out of its line, and reports whether it was there.
func (s *Store) Leave(ctx context.Context, e Entry) (bool, error) {
	request, err := json.Marshal(jetstream.StreamPurgeRequest{Subject: protocol.EntrySubject(e.Function, e.Line, e.ID)})
	if err != nil {
		return false, unavailable("take a job out of its line", err)
	}
	answer, err := s.js.Conn().RequestWithContext(ctx, s.api("STREAM.PURGE."+protocol.TurnStream(e.Function)), request)
	var r struct {
		Error  *jetstream.APIError `json:"error"`
		Purged int                 `json:"purged"`
	}
	if err == nil {
		err = json.Unmarshal(answer.Data, &r)
	}
	switch {
	case err == nil && r.Error != nil && r.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return false, nil
	case err == nil && r.Error != nil:
		err = r.Error
	}
	return r.Purged > 0, unavailable("take a job out of its line", err)
}

// TurnFunctions returns the names of the functions that have lines, and of those that have priorities.
func (s *Store) TurnFunctions(ctx context.Context) (names, ranked []string, err error) {
	list := s.js.StreamNames(ctx, jetstream.WithStreamListSubject(protocol.TurnsOfAll))
	for stream := range list.Name() {
		if name, ok := protocol.TurnOwner(stream); ok {
			names = append(names, name)
		}
		if name, ok := protocol.RankOwner(stream); ok {
			ranked = append(ranked, name)
		}
	}
	return names, ranked, unavailable("list lines and priorities", list.Err())
}
