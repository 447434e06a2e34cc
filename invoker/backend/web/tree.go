package web

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// granted reads a name, and returns an error if no grant speaks of it. A host is granted if anything there is.
func (s *session) granted(name string) (t target, err error) {
	if t, err = parseTarget(name); err != nil {
		return t, err
	}
	if t.path != "" {
		_, _, err = find(s.r.rules, t, "")
		return t, err
	}
	if slices.ContainsFunc(s.r.rules, func(r *rule) bool {
		return r.HasHost(t.host) && (t.port == r.port || t.port == "" && r.port == portOf(r.Scheme))
	}) {
		return t, nil
	}
	return t, errNotGranted
}

// Open implements files.Tree.
func (s *session) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	f, err := s.open(ctx, name, how)
	if err != nil {
		return nil, s.fail("open", name, err)
	}
	return f, nil
}

// open opens a file.
func (s *session) open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	exclusive := how.Has(files.Create | files.Exclusive)
	if name == "." {
		return nil, isFolder(exclusive)
	}
	t, err := s.granted(name)
	switch {
	case err != nil:
		return nil, err
	case t.path == "":
		return nil, isFolder(exclusive)
	case exclusive:
		return nil, fs.ErrExist
	}
	write := how.Has(files.Write)
	switch {
	case t.part == partMethod && !write:
		return &textFile{text: s.methodOf(t, false)}, nil
	case t.part == partMethod || t.part == partHeaders && write:
		return s.openWish(t, how)
	case t.part == partContent && write:
		return s.openBody(name, t, how)
	case write:
		return nil, files.ErrReadOnly
	case t.part == partContent || t.part == partBody:
		return s.openContent(ctx, name, t)
	}
	return s.openResult(ctx, t)
}

// isFolder is the error of opening a folder.
func isFolder(exclusive bool) error {
	if exclusive {
		return fs.ErrExist
	}
	return files.ErrIsDir
}

// openContent opens what came of a request, and makes it if there is none.
func (s *session) openContent(ctx context.Context, name string, t target) (files.File, error) {
	e, err := s.exchangeOf(ctx, t)
	if err != nil {
		return nil, err
	}
	if _, err := e.outcome(); err != nil && t.part == partContent {
		return nil, err
	}
	return newReader(s, name, e), nil
}

// openBody opens a file for the body of a request.
func (s *session) openBody(name string, t target, how files.Flags) (files.File, error) {
	method := s.methodOf(t, true)
	if _, _, err := find(s.r.rules, t, method); err != nil {
		var f *failure
		if errors.As(err, &f) && f.err == syscall.EACCES {
			err = &failure{f.reason, files.ErrReadOnly}
		}
		return nil, err
	}
	return &bodyFile{s: s, name: name, t: t, how: how}, nil
}

// openWish opens PATH.method or PATH.headers to write it. What there was of a response is that of another request.
func (s *session) openWish(t target, how files.Flags) (files.File, error) {
	key := t.key()
	w := s.wishes[key]
	if w == nil {
		if len(s.wishes) >= maxWishes {
			return nil, &failure{"the call has written methods or headers for too many URLs", files.ErrNoSpace}
		}
		w = &wish{}
		s.wishes[key] = w
	}
	f := &wishFile{how: how, text: &w.method, most: maxMethod}
	if t.part == partHeaders {
		f.text, f.most = &w.headers, maxWishBytes
	}
	delete(s.newest, key)
	if how.Has(files.Truncate) {
		*f.text = nil
	}
	return f, nil
}

// openResult opens a file that says something about a response.
func (s *session) openResult(ctx context.Context, t target) (files.File, error) {
	e, err := s.exchangeOf(ctx, t)
	if e == nil {
		return nil, err
	}
	if t.part == partError {
		if err := e.awaitEnd(ctx); err != nil {
			return nil, err
		}
		status, err := e.outcome()
		if err == nil {
			return nil, fs.ErrNotExist
		}
		text, _ := json.Marshal(problem{status, err.Error(), errnoName(cause(err))}) // these can be
		return &textFile{text: string(text)}, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.status == 0:
		return nil, err
	case t.part == partStatus:
		return &textFile{text: strconv.Itoa(e.status)}, nil
	}
	return &textFile{text: formatHeaders(e.header)}, nil
}

// problem is what PATH.error says.
type problem struct {
	Code    int    `json:"code,omitempty"` // the status, if there was a response
	Message string `json:"message"`
	Errno   string `json:"errno"`
}

// Stat implements files.Tree. It makes no request: a file that was not asked for exists, and has the size 0.
func (s *session) Stat(_ context.Context, name string) (files.Info, error) {
	folder := files.Info{Mode: fs.ModeDir}
	if name == "." {
		return folder, nil
	}
	t, err := s.granted(name)
	if err != nil {
		return files.Info{}, s.fail("stat", name, err)
	}
	if t.path == "" || s.leadsOn(t) {
		return folder, nil
	}
	e := s.newest[t.key()]
	switch {
	case t.part == partError && !hasFailed(e):
		return files.Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	case e == nil || t.part != partContent && t.part != partBody:
		return files.Info{}, nil
	}
	n, _ := e.size()
	return files.Info{Size: n}, nil
}

// hasFailed reports whether an exchange is known to have failed.
func hasFailed(e *exchange) bool {
	if e == nil {
		return false
	}
	_, err := e.outcome()
	return err != nil
}

// leadsOn reports whether the run has asked for something below a URL, which is a folder then.
func (s *session) leadsOn(t target) bool {
	if t.part != partContent || t.query != "" {
		return false
	}
	for key := range s.newest {
		if strings.HasPrefix(key, t.key()+"/") {
			return true
		}
	}
	return false
}

// ReadDir implements files.Tree. It knows the hosts that are granted by name, and nothing of what they have.
func (s *session) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	if name != "." {
		t, err := s.granted(name)
		if err == nil && t.path != "" && !s.leadsOn(t) {
			err = files.ErrNotDir
		}
		if err != nil {
			return nil, s.fail("readdir", name, err)
		}
		return nil, nil
	}
	var all []files.Entry
	for _, r := range s.r.rules {
		e := files.Entry{Name: place{scheme: r.Scheme, host: r.Host, port: r.port}.origin(), Mode: fs.ModeDir}
		if !strings.HasPrefix(r.Host, "*") && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all, nil
}

// Mkdir implements files.Tree: what is granted is there.
func (s *session) Mkdir(_ context.Context, name string) error {
	err := error(fs.ErrExist)
	if name != "." {
		if _, not := s.granted(name); not != nil {
			err = not
		}
	}
	return s.fail("mkdir", name, err)
}

// Remove implements files.Tree: it takes back what was written to PATH.method or PATH.headers.
func (s *session) Remove(_ context.Context, name string) error {
	if name == "." {
		return s.fail("remove", name, files.ErrBusy)
	}
	t, err := s.granted(name)
	switch {
	case err != nil:
	case t.part == partMethod || t.part == partHeaders:
		if _, err = s.openWish(t, files.Write|files.Truncate); err == nil {
			return nil
		}
	default:
		err = &failure{"it cannot be removed: write DELETE to PATH.method, and read PATH", errors.ErrUnsupported}
	}
	return s.fail("remove", name, err)
}

// Rename implements files.Tree: it refuses.
func (s *session) Rename(_ context.Context, from, to string) error {
	for _, name := range []string{from, to} {
		if !fs.ValidPath(name) {
			return s.fail("rename", from, fs.ErrInvalid)
		}
	}
	_, err := s.granted(from)
	if from == "." || err == nil {
		err = errors.ErrUnsupported
	}
	return s.fail("rename", from, err)
}

// SetTime implements files.Tree. It keeps no times.
func (s *session) SetTime(_ context.Context, name string, _ time.Time) error {
	if name == "." {
		return nil
	}
	if _, err := s.granted(name); err != nil {
		return s.fail("chtimes", name, err)
	}
	return nil
}
