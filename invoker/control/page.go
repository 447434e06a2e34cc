package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Replies fit a message, whatever NATS allows (max_payload) and however much there is to say. Lists come in pages: each
// says where the next one begins. What does not fit even alone is abridged.

const (
	// envelope is what a reply takes besides what it lists, in bytes.
	envelope = 512
	// sameList is for how long the pages of a list are those of one moment, if the same invoker answers.
	sameList = 5 * time.Second
	// maxReason is how much is said of why processes start as they do, in bytes.
	maxReason = 512
)

// room returns how many bytes of a reply are for what it says.
func (s *Service) room() int { return int(s.NC.MaxPayload()) - envelope }

// size returns the length of a value in JSON, in bytes.
func size(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		return 0 // whoever sends it finds out
	}
	return len(b)
}

// abridge returns a function without what can make it long, unless it is short enough.
func abridge(f protocol.Function, room int) (_ protocol.Function, abridged bool) {
	if size(f) <= room {
		return f, false
	}
	return f.Abridged(), true
}

// page returns the functions behind a name that there is room for, at least one, and where the next page begins. all is
// sorted by name.
func page(all []protocol.Function, after string, room int) protocol.ListReply {
	begin, found := slices.BinarySearchFunc(all, after, func(f protocol.Function, name string) int {
		return strings.Compare(f.Name, name)
	})
	if found {
		begin++
	}
	out := protocol.ListReply{Functions: []protocol.Function{}}
	used := 0
	for _, f := range all[begin:] {
		f, abridged := abridge(f, room)
		used += size(f) + len(",")
		if abridged {
			used += size(f.Name) + len(",")
		}
		if n := len(out.Functions); n > 0 && used > room {
			out.Next = out.Functions[n-1].Name
			break
		}
		out.Functions = append(out.Functions, f)
		if abridged {
			out.Abridged = append(out.Abridged, f.Name)
		}
	}
	return out
}

// listing remembers a list for those who ask for its next pages: to read thousands of records for each page would
// take long.
type listing struct {
	mu  sync.Mutex
	at  time.Time
	all []protocol.Function
}

// get returns the list that a page is taken from. The first page is always that of a new list.
func (l *listing) get(ctx context.Context, after string,
	read func(context.Context) ([]protocol.Function, error)) ([]protocol.Function, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after != "" && time.Since(l.at) < sameList {
		return l.all, nil
	}
	all, err := read(ctx)
	if err != nil {
		return nil, err
	}
	l.at, l.all = time.Now(), all
	return all, nil
}

// pageOf returns a page of a list, for which there is room.
func (s *Service) pageOf(ctx context.Context, l *listing, q protocol.ListRequest, room int,
	read func(context.Context) ([]protocol.Function, error)) (protocol.ListReply, error) {
	all, err := l.get(ctx, q.After, read)
	if err != nil {
		return protocol.ListReply{}, err
	}
	return page(all, q.After, room), nil
}

// damageThatFits returns as much of what is damaged as there is room for.
func damageThatFits(all []protocol.Damage, room int) []protocol.Damage {
	for i := range all {
		d := protocol.Damage{
			Name:   protocol.CleanValue(all[i].Name, protocol.MaxSubject),
			Reason: protocol.CleanValue(all[i].Reason, maxReason),
			Needs:  all[i].Needs,
		}
		if room -= size(d) + len(","); room < 0 {
			return all[:i]
		}
		all[i] = d
	}
	return all
}

// infoPage fills in the versions of a function that there is room for: the newest of those that are older than
// before, or of all if that is 0.
func infoPage(out *protocol.InfoReply, versions []protocol.Function, before, room int) {
	out.Stats.StartReason = protocol.CleanValue(out.Stats.StartReason, maxReason)
	var abridged bool
	if before > 0 {
		out.Function = out.Function.Abridged() // it was in the first page
	} else if out.Function, abridged = abridge(out.Function, room-size(out.Stats)); abridged {
		out.Abridged = append(out.Abridged, out.Function.Version)
	}
	used := size(out.Function) + size(out.Stats)
	out.Versions = []protocol.Function{}
	for _, v := range slices.Backward(versions) {
		if before > 0 && v.Version >= before {
			continue
		}
		f, abridged := abridge(v, room-size(out.Stats)-size(out.Function.Abridged()))
		used += size(f) + len(",")
		if n := len(out.Versions); used > room && (n > 0 || before == 0) {
			out.Next = oldest(out)
			break
		}
		out.Versions = append(out.Versions, f)
		if abridged {
			out.Abridged = append(out.Abridged, f.Version)
		}
	}
	slices.Reverse(out.Versions)
}

// oldest returns where the next page begins: before the oldest version of this one, or with the newest of all. out
// has its versions newest first.
func oldest(out *protocol.InfoReply) int {
	if n := len(out.Versions); n > 0 {
		return out.Versions[n-1].Version
	}
	return out.Function.Version + 1
}

// fit makes the answer to a deployment short enough.
func (s *Service) fit(reply any) any {
	d, ok := reply.(protocol.DeployReply)
	if !ok {
		return reply
	}
	room := s.room()
	d.Function, _ = abridge(d.Function, room)
	d.Warnings = warningsThatFit(d.Warnings, room-size(d.Function))
	return d
}

// warningsThatFit returns as many warnings as there is room for, and how many are left out.
func warningsThatFit(warnings []string, room int) []string {
	const more = 64 // for the last one
	used := more
	for i, w := range warnings {
		if used += size(w) + len(","); used > room && size(warnings) > room {
			return append(warnings[:i:i], fmt.Sprintf("and %d more warnings", len(warnings)-i))
		}
	}
	return warnings
}
