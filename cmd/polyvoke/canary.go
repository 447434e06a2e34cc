package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// canary is how a deployment begins with a part of the calls.
type canary struct {
	share, abortOn string
	lasts          time.Duration
}

// addTo adds the flags.
func (y *canary) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&y.share, "canary", "", "give the new version this part of the calls, such as 10%, and no more until polyvoke promote")
	f.StringVar(&y.abortOn, "abort-on", "", "give the canary's calls back on this, such as 'errors>2%,p99>250ms'")
	f.DurationVar(&y.lasts, "for", 0, "promote the canary after this time, such as 5m, if nothing has aborted it")
}

// check returns what is wrong with the flags, before anything is done.
func (y *canary) check(cmd *cobra.Command) (weight int, err error) {
	if y.share == "" {
		if y.abortOn != "" || y.lasts != 0 {
			return 0, usageError(cmd, "--abort-on and --for need --canary")
		}
		return 0, nil
	}
	weight, err = parsePercent(y.share)
	if err != nil || weight == 100 {
		return 0, usageError(cmd, "--canary %q: write a part from 1%% to 99%%", y.share)
	}
	if _, err := protocol.ParseConditions(y.abortOn); err != nil {
		return 0, usageError(cmd, "--abort-on: %v", err)
	}
	if y.lasts < 0 || y.lasts > time.Duration(protocol.MaxCanary) {
		return 0, usageError(cmd, "--for %v: at most %v", y.lasts, protocol.MaxCanary)
	}
	return weight, nil
}

// prepare makes the version that answers now the one that goes on doing so, and returns the alias as it is then.
func (y *canary) prepare(ctx context.Context, s *connect.Session, name string) (now protocol.AliasState, made bool, err error) {
	info, err := s.Info(ctx, name)
	if err != nil {
		return now, false, err
	}
	if now, err = aliasNow(ctx, s, name, protocol.AliasLive); err != nil || !now.Removed {
		return now, false, err
	}
	none := uint64(0)
	reply, err := s.SetAlias(ctx, name, protocol.AliasLive, protocol.Alias{By: whoAmI(), Why: "before a canary",
		To: []protocol.Weight{{Version: info.Function.Version, Weight: 100}}}, &none)
	return reply.AliasState, true, err
}

// begin gives the version that was deployed its part of the calls.
func (y *canary) begin(ctx context.Context, s *connect.Session, now protocol.AliasState, version, weight int) (
	protocol.AliasReply, error) {
	older := now.Value.To[0].Version // of two, the one that was there first
	a := protocol.Alias{Key: now.Value.Key, By: whoAmI(), Why: "canary", To: []protocol.Weight{
		{Version: older, Weight: 100 - weight}, {Version: version, Weight: weight}}}
	if y.abortOn != "" || y.lasts > 0 {
		a.Canary = &protocol.Canary{AbortOn: y.abortOn, For: protocol.Duration(y.lasts)}
	}
	return s.SetAlias(ctx, now.Function, protocol.AliasLive, a, &now.Revision)
}
