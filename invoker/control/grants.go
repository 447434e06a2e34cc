package control

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module/opens"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// mostGrantWarnings is how many warnings a deployment has about what the program opens.
const mostGrantWarnings = 8

// mostText is how many bytes of a script's file are looked at.
const mostText = 1 << 20

// Advice says what the author of a function should know about its grants: what the program seems to open and is not
// granted, which of its requests the invoker refuses by itself, and which of its messages call it again.
func Advice(f *protocol.Function, code []byte) []string {
	all := f.NotGranted(opened(f, code))
	if n := len(all) - mostGrantWarnings; n > 0 {
		all = append(all[:mostGrantWarnings], fmt.Sprintf("%s seems to open %d more paths that are not granted", f.Name, n))
	}
	for _, g := range f.Grants {
		t, err := protocol.ParseHTTPTarget(g.HTTP)
		if g.HTTP != "" && err == nil && t.Private() {
			all = append(all, fmt.Sprintf("%s may ask %s, which is of an invoker's own machine or of a private network: "+
				"requests there fail unless whoever runs the invoker lets them", f.Name, t))
		}
	}
	return append(all, feeds(f)...)
}

// missing says which functions of its grants are not deployed. What cannot be found out is left out.
func (s *Service) missing(ctx context.Context, f *protocol.Function) (all []string) {
	for _, g := range f.Grants {
		ref, err := protocol.ParseRef(g.Fn)
		if g.Fn == "" || err != nil || ref.Name == f.Name {
			continue
		}
		e, err := s.Registry.Find(ctx, ref.Name)
		if err == nil && ref.Version != "" {
			_, err = e.Version(ref.Version)
		}
		if protocol.CodeOf(err) == protocol.CodeNotFound {
			all = append(all, fmt.Sprintf("%s may call /fn/%s, which is not deployed: until it is, each such call fails with 404",
				f.Name, g.Fn))
		}
	}
	return all
}

// feeds says which messages of a function can call it again.
func feeds(f *protocol.Function) (all []string) {
	for _, g := range f.Grants {
		for _, t := range f.SubjectTriggers() {
			if g.Pub != "" && !f.AllowLoop && protocol.Overlap(g.Pub, t.Subject) {
				all = append(all, fmt.Sprintf("%s may write to /pub/%s and is called by %s: a loop, which ends after %d hops",
					f.Name, g.Pub, t.Subject, protocol.MaxHops))
			}
		}
	}
	return all
}

// opened returns what a program seems to open.
func opened(f *protocol.Function, code []byte) []string {
	if f.Runtime == "" {
		return opens.InModule(code)
	}
	s, err := script.Parse(code)
	if err != nil {
		return nil // whoever compiles it says why
	}
	var texts [][]byte
	_ = fs.WalkDir(s.Files(), ".", func(name string, e fs.DirEntry, err error) error { // it is in memory
		if err != nil {
			return nil
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() <= mostText {
			text, _ := fs.ReadFile(s.Files(), name)
			texts = append(texts, text)
		}
		return nil
	})
	return slices.Clip(opens.InText(texts...))
}
