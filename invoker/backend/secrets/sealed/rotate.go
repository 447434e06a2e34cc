package sealed

import (
	"context"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Verbs returns the control verbs of secrets, as an invoker with a source answers them, or one without: nil.
func Verbs(s *Source) map[protocol.APIVerb]protocol.APIHandler {
	answer := func(do func(ctx context.Context) (any, error)) protocol.APIHandler {
		return protocol.APIHandler{Answer: func(ctx context.Context, _ *protocol.APIRequest) (any, error) {
			if s == nil {
				return nil, protocol.Errorf(protocol.CodeUnavailable, "",
					"this invoker has no key for secrets: start it with polyvoke serve --secrets-key KEYFILE")
			}
			return do(ctx)
		}}
	}
	return map[protocol.APIVerb]protocol.APIHandler{
		protocol.APISecretsKey: answer(func(context.Context) (any, error) {
			public := s.keys.Public()
			return protocol.SecretsKeyReply{Key: public[0], Keys: public}, nil
		}),
		protocol.APISecretsRotate: answer(func(ctx context.Context) (any, error) { return s.Rotate(ctx) }),
	}
}

// Rotate seals all secrets to the first key that are sealed to another one. It can be done again, and by several
// invokers at a time. What nobody here can open stays as it is. The error's code is 503 if JetStream does not answer.
func (s *Source) Rotate(ctx context.Context) (protocol.SecretsRotateReply, error) {
	const op = "rotate secrets"
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	done := protocol.SecretsRotateReply{Key: s.keys.public[0], Failed: map[string]string{}}
	kv, err := makeBucket(ctx, s.js, 1)
	if err != nil {
		return done, objects.Error(op, err)
	}
	all, err := readAll(ctx, s.js)
	if err != nil {
		return done, objects.Error(op, err)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		anew, err := s.reseal(ctx, kv, key, all[key])
		switch {
		case ctx.Err() != nil:
			return done, objects.Error(op, ctx.Err())
		case err != nil:
			done.Left++
			if len(done.Failed) < protocol.MaxFailedSecrets {
				why := protocol.ErrorOf(err, "").Error()
				done.Failed[protocol.CleanValue(key, maxReason)] = protocol.CleanValue(why, maxReason)
			}
		case anew:
			done.Sealed++
		}
	}
	s.log.Info("secrets: sealed anew", "key", done.Key, "sealed", done.Sealed, "left", done.Left)
	return done, nil
}

// reseal seals a secret to the first key, unless it is. It reports whether it has.
func (s *Source) reseal(ctx context.Context, kv jetstream.KeyValue, key string, was stored) (bool, error) {
	value, err := s.keys.Open(key, was.value)
	if err != nil {
		return false, err
	}
	record, err := protocol.ParseSealedSecret(was.value)
	if err != nil || record.Key == s.keys.public[0] {
		return false, err
	}
	b, err := seal(key, s.keys.public[0], value, record.Created)
	if err != nil {
		return false, err
	}
	_, err = kv.Update(ctx, key, b, was.revision)
	if objects.WrongSequence(err) {
		return false, protocol.Errorf(protocol.CodeConflict, "", "it has changed meanwhile: rotate again")
	}
	return err == nil, objects.Error("", err)
}
