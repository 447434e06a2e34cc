package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs", Value: "git"},
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-11-30T09:00:00Z"}, {Key: "vcs.modified", Value: "true"}}
	for _, tt := range []struct {
		name, main string
		settings   []debug.BuildSetting
		want       string
	}{
		{"nothing known", "", nil, "polyvoke 0.0.0-dev, go"},
		{"go run of files", "(devel)", nil, "polyvoke 0.0.0-dev, go"},
		{"go install of a tag", "v1.2.3", nil, "polyvoke 1.2.3, go"},
		{"go install of a commit", "v0.0.0-20261130090000-0123456789ab", nil,
			"polyvoke 0.0.0-20261130090000-0123456789ab, commit 0123456789ab of 2026-11-30T09:00:00Z, go"},
		{"of a commit after a tag", "v1.2.4-0.20261130090000-0123456789ab", nil,
			"polyvoke 1.2.4-0.20261130090000-0123456789ab, commit 0123456789ab of 2026-11-30T09:00:00Z, go"},
		{"a work tree", "v0.0.0-20261130090000-0123456789ab+dirty", vcs,
			"polyvoke 0.0.0-20261130090000-0123456789ab+dirty, commit 0123456789ab of 2026-11-30T09:00:00Z, modified, go"},
		{"a date that is none", "v0.0.0-20269930090000-0123456789ab", nil, "polyvoke 0.0.0-20269930090000-0123456789ab, go"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := originOf(&debug.BuildInfo{Main: debug.Module{Version: tt.main}, Settings: tt.settings}).String()
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s...", got, tt.want)
			}
		})
	}
}
