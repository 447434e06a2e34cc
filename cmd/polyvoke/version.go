package main

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// What `make release` sets when it links: the version, such as v1.2.3, the commit in full, and its date (RFC 3339).
var released, releasedCommit, releasedDate string

// origin is which polyvoke this is, and of what it was built.
type origin struct {
	Version  string `json:"version"`            // SemVer, without a v
	Commit   string `json:"commit,omitempty"`   // of Git; after `go install` its first 12 digits, or "" at a tag
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the work tree differed from the commit
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// version returns polyvoke's own version in SemVer.
func version() string { return ownOrigin().Version }

// ownOrigin returns the origin of the program that runs.
func ownOrigin() origin {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	o := originOf(info)
	if released != "" {
		o.Version, o.Commit, o.Date = strings.TrimPrefix(released, "v"), releasedCommit, releasedDate
	}
	return o
}

// pseudoVersion is the end of a version that the Go tool makes up for a commit without a tag: its time, its first 12
// digits (https://go.dev/ref/mod#pseudo-versions).
var pseudoVersion = regexp.MustCompile(`[-.](\d{14})-([0-9a-f]{12})(\+.*)?$`)

// originOf returns what is known from what the Go tool recorded: the commit, if it built in a Git work tree, or only a
// version of the module, if it was told `go install ...@latest`.
func originOf(info *debug.BuildInfo) origin {
	o := origin{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	recorded := ""
	if strings.HasPrefix(info.Main.Version, "v") { // else it is "(devel)"
		recorded = info.Main.Version
	}
	if m := pseudoVersion.FindStringSubmatch(recorded); m != nil {
		if t, err := time.Parse("20060102150405", m[1]); err == nil {
			o.Commit, o.Date = m[2], t.Format(time.RFC3339)
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			o.Commit = s.Value
		case "vcs.time":
			o.Date = s.Value
		case "vcs.modified":
			o.Modified = s.Value == "true"
		}
	}
	o.Version = strings.TrimPrefix(cmp.Or(recorded, "v0.0.0-dev"), "v")
	return o
}

// String returns the line that polyvoke version prints.
func (o origin) String() string {
	from := ""
	if o.Commit != "" {
		from = fmt.Sprintf(", commit %.12s of %s", o.Commit, o.Date)
		if o.Modified {
			from += ", modified"
		}
	}
	return fmt.Sprintf("polyvoke %s%s, %s, %s/%s", o.Version, from, o.Go, o.OS, o.Arch)
}

// versionCommand prints which polyvoke this is.
func (c *cli) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "version",
		Short:             "Print the version, and what it was built from",
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(c.stdout, ownOrigin())
			}
			_, err := fmt.Fprintln(c.stdout, ownOrigin())
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}
