package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// safetyTime is how long a deployment waits for what JetStream says of streams. What it does not say in time counts as
// harmless: whoever needs the stream reports the same later.
const safetyTime = 3 * time.Second

// safe returns why a function must not be deployed as it is, given what is there: it would feed itself, its triggers
// have no source, or another stream has its jobs. The error's code is 422, or 409 for a route of another function's.
func (s *Service) safe(ctx context.Context, f *protocol.Function) error {
	ctx, cancel := context.WithTimeout(ctx, safetyTime)
	defer cancel()
	if err := looping(f, s.subjectsOf(ctx)); err != nil {
		return err
	}
	if err := s.Host.Routes(f); err != nil {
		return err
	}
	for i, t := range f.Triggers {
		if err := s.hasSource(ctx, f.Name, i+1, t); err != nil {
			return err
		}
	}
	if !f.HasQueue() {
		return nil
	}
	for _, subject := range protocol.QueueSubjects(f.Name) {
		if stream := s.captor(ctx, subject, protocol.QueueStream(f.Name)); stream != "" {
			return protocol.Errorf(protocol.CodeRefused, "deploy "+f.Name,
				"stream %s takes the jobs of %s (%s), which must be in a stream of their own: take that subject off it: "+
					"nats stream edit %s", stream, f.Name, subject, stream)
		}
	}
	return nil
}

// hasSource returns an error if the source of a trigger is missing and will not be made. number counts from 1.
func (s *Service) hasSource(ctx context.Context, name string, number int, t protocol.Trigger) error {
	if s.CheckTrigger != nil {
		err := s.CheckTrigger(ctx, t)
		if protocol.CodeOf(err) != protocol.CodeRefused {
			return nil // what cannot be found out now, the trigger reports later
		}
		return protocol.Errorf(protocol.CodeRefused, "deploy "+name, "manifest: trigger %d: %w", number, err)
	}
	stream, _ := t.SourceStream()
	if stream == "" || t.Create {
		return nil
	}
	_, err := s.JetStream.Stream(ctx, stream)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	what, make := "stream "+t.Stream, "nats stream add "+t.Stream
	switch t.Source() {
	case protocol.SourceKV:
		bucket, _ := t.Bucket()
		what, make = "KV bucket "+bucket, "nats kv add "+bucket
	case protocol.SourceObject:
		what, make = "object store "+t.Object, "nats object add "+t.Object
	}
	return protocol.Errorf(protocol.CodeRefused, "deploy "+name,
		"manifest: trigger %d: there is no %s: make it first (%s), or set create = true in the trigger", number, what, make)
}

// captor returns a stream that takes messages of a subject, other than the one that should, or "".
func (s *Service) captor(ctx context.Context, subject, except string) string {
	for name := range s.JetStream.StreamNames(ctx, jetstream.WithStreamListSubject(subject)).Name() {
		if name != except {
			return name
		}
	}
	return ""
}

// subjectsOf returns what says which subjects a stream takes. It says nothing of a stream that is not there.
func (s *Service) subjectsOf(ctx context.Context) func(stream string) []string {
	return func(stream string) []string {
		found, err := s.JetStream.Stream(ctx, stream)
		if err != nil {
			return nil
		}
		return found.CachedInfo().Config.Subjects
	}
}

// loops says by which ways a function calls itself, directly, which its manifest allows, or by way of one other.
func (s *Service) loops(ctx context.Context, f *protocol.Function) []string {
	streams := s.subjectsOf(ctx)
	var all []string
	for _, loop := range subjects.Loops(f, streams) {
		all = append(all, fmt.Sprintf("%s: a loop, which ends after %d hops", loop, protocol.MaxHops))
	}
	asked := []string{f.Name}
	for _, pattern := range subjects.Out(f) {
		for _, other := range s.Host.Taking(pattern) {
			if !slices.Contains(asked, other.Name) {
				asked = append(asked, other.Name)
				all = append(all, subjects.LoopsOver(f, other, streams)...)
			}
		}
	}
	return all
}

// empty says which triggers get nothing: their streams take none of the subjects that they want.
func (s *Service) empty(ctx context.Context, f *protocol.Function) []string {
	var all []string
	streams := s.subjectsOf(ctx)
	for _, t := range f.Triggers {
		if t.Source() != protocol.SourceStream || t.Filter == "" {
			continue
		}
		taken := streams(t.Stream)
		in := func(subject string) bool { return protocol.Overlap(subject, t.Filter) }
		if len(taken) > 0 && !slices.ContainsFunc(taken, in) {
			all = append(all, fmt.Sprintf("stream %s takes no message of %s, so this trigger of %s gets none: it takes %s",
				t.Stream, t.Filter, f.Name, first(taken)))
		}
	}
	return all
}

// first names the first of several subjects.
func first(subjects []string) string {
	if len(subjects) == 1 {
		return subjects[0]
	}
	return fmt.Sprintf("%s and %d others", subjects[0], len(subjects)-1)
}
