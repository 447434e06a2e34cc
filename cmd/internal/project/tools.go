package project

import "context"

// Tools looks for the tool chain of what the project builds, and returns its language: "" if the project says by
// itself what to run, or has nothing to build. The error is that of Language.Find.
func (p *Project) Tools(ctx context.Context) (language string, err error) {
	if p.command != nil || p.source == "" {
		return "", nil
	}
	l, err := compiledFrom(p.source)
	if err != nil {
		return "", refuse(p.Manifest, "%v", err)
	}
	_, err = l.Find(ctx, p.Dir)
	return l.Title, err
}
